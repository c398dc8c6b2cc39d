import NIOCore
import RESP
import Testing

@testable import Lapse

/// Rows 68 and 69: how many databases there are, where CONFIG tells and where it does not.
struct DatabaseCountTests {
    private func bulk(_ text: String) -> RESPValue { .bulk(ByteBuffer(string: text)) }
    private func setting(_ name: String, _ value: String) -> RESPValue { .array([bulk(name), bulk(value)]) }
    private let ok = RESPValue.simple("OK")
    private let outOfRange = RESPValue.error(RESPError("ERR DB index is out of range"))

    @Test func configTells() {
        let single = DatabaseCount.told(by: [setting("databases", "64")], isCluster: false)
        #expect(single == 64)
        // Valkey 9 has a setting for clusters; a Redis that answers for the other one does not.
        let valkey = [setting("databases", "16"), setting("cluster-databases", "8")]
        #expect(DatabaseCount.told(by: valkey, isCluster: true) == 8)
        #expect(DatabaseCount.told(by: [setting("databases", "16"), .array([])], isCluster: true) == 1)
    }

    @Test(arguments: [
        RESPValue.array([]), .error(RESPError("NOPERM no")), .error(RESPError("ERR unknown command 'CONFIG'")),
        .error(RESPError("ERR command is disabled by your provider")), .null,
    ])
    func aRefusalInAnyWordsTellsNothing(_ answer: RESPValue) {
        #expect(DatabaseCount.told(by: [answer], isCluster: false) == nil)
        #expect(DatabaseCount.told(by: [answer, answer], isCluster: true) == nil)
    }

    /// SELECT 1, 15, 31, 63, 127 …
    @Test func selectBoundsTheNumber() {
        let four = Array(repeating: ok, count: 4) + Array(repeating: outOfRange, count: 4) + [ok]
        #expect(DatabaseCount.bound(four, isCluster: false) == 127, "64 databases, and some that do not exist")
        let none = Array(repeating: RESPValue.error(RESPError("ERR SELECT is not allowed in cluster mode")), count: 8)
        #expect(DatabaseCount.bound(none + [ok], isCluster: true) == 1)
        let refused = Array(repeating: RESPValue.error(RESPError("NOPERM select")), count: 9)
        #expect(DatabaseCount.bound(refused, isCluster: false) == DatabaseCount.assumed)
    }

    @Test func moreThanAThousandAreHeard() {
        #expect(DatabaseCount.told(by: [setting("databases", "2000")], isCluster: false) == 2000)
        // SELECT … 1023 is taken, and 2047 is not.
        let many = Array(repeating: ok, count: 8) + Array(repeating: outOfRange, count: 6) + [ok]
        #expect(DatabaseCount.bound(many, isCluster: false) == 2047)
        #expect(DatabaseCount.trials(backTo: 0).count == 15)
    }

    @Test func aWantedDatabaseIsHeardWhateverIsKnown() {
        #expect(DatabaseCount.heard(of: 2, wanted: [1, 9, 5, 9]) == [0, 1, 5, 9])
        #expect(DatabaseCount.heard(of: DatabaseCount.assumed, wanted: [1500]).last == 1500)
    }

    @Test func theConnectionGoesBackToItsDatabase() {
        #expect(DatabaseCount.trials(backTo: 3).last == RESPCommand("SELECT", "3"))
    }
}
