import ExpirationStream
import LeaderElection
import LeaderElectionRedis
import Testing

@testable import Lapse

struct KeyFilterTests {
    private func wants(_ filter: KeyFilter, _ key: String, database: UInt16 = 0) -> Bool {
        filter.wants(Array(key.utf8), database: database)
    }

    @Test(arguments: [1, 3, 5, 7])
    func ownKeysOfAnyElectionNeverPass(_ registers: Int) {
        let filter = KeyFilter(match: ["*"], ignore: [], databases: [0])
        for name in ["default", "sessions", "a.b"] {
            for keys in ElectionKeys.registers(registers, name: name) {
                for key in [keys.lock, keys.token, keys.progress, keys.members, "{\(keys.tag)}:\(name):repair:1"] {
                    #expect(!wants(filter, key), "\(key)")
                    #expect(KeyFilter.isOwn(Array(key.utf8)))
                }
            }
        }
    }

    @Test(arguments: [
        "{lapse-x}:a", "{lapse-}:a", "{lapse-1}a", "{lapse-1x}:a", "{lapse-12", "{lapse-12}", "lapse-12:a",
        "{lapse-1:2}:a", " {lapse-1}:a", "{Lapse-1}:a", "{lapse-1 }:a", "{lapse--1}:a", "{", "",
    ])
    func lookalikesPass(_ key: String) {
        #expect(wants(KeyFilter(match: [], ignore: [], databases: [0]), key))
    }

    @Test func theStreamsOwnKeysNeverPass() throws {
        for (key, count) in [("out", 1), ("out", 3), ("{t}:out", 1)] {
            let keys = try StreamKeys(key, partitions: count)
            let filter = KeyFilter(match: ["*"], ignore: [], databases: [0], stream: keys)
            for index in 0..<count {
                #expect(!wants(filter, keys.partitions[index]) && !wants(filter, keys.writer(of: index)))
                #expect(!wants(filter, keys.cursor(of: index, runID: "ab")))
            }
            #expect(wants(filter, key + ":1") && wants(filter, key.dropLast().description) && wants(filter, "{out}:x"))
        }
    }

    @Test func emptyMatchWantsAll() {
        let filter = KeyFilter(match: [], ignore: ["tmp:*"], databases: [0, 3])
        #expect(wants(filter, "anything"))
        #expect(wants(filter, "", database: 3))
        #expect(!wants(filter, "tmp:1"))
        #expect(!wants(filter, "anything", database: 1))
    }

    @Test func oneMatchSufficesAndIgnoreWins() {
        let filter = KeyFilter(match: ["session:*", "cart:?"], ignore: ["*:9"], databases: [0])
        #expect(wants(filter, "session:42"))
        #expect(wants(filter, "cart:1"))
        #expect(!wants(filter, "cart:12"))
        #expect(!wants(filter, "cart:9"))
        #expect(!wants(filter, "other"))
    }

    @Test func keysNeedNotBeText() {
        let filter = KeyFilter(match: ["a*"], ignore: [], databases: [0])
        #expect(filter.wants([0x61, 0xff, 0x00], database: 0))
        #expect(!filter.wants([0xff, 0x61], database: 0))
    }
}
