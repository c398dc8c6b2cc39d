import ExpirationStream
import NIOCore
import RESP
import Testing

@Suite struct StreamEntryTests {
    private let plain = StreamEntry(
        id: "ab-7", key: Array("session:42".utf8), database: 3, node: "10.0.0.1:6379", runID: "ab", ordinal: 7,
        origin: "live", term: 5, token: 1_700_000)

    private func fields(_ entry: StreamEntry) -> [[UInt8]] {
        let fields = entry.fields
        return (0..<fields.count).compactMap { fields[$0].map { Array($0.readableBytesView) } }
    }

    private func reply(_ fields: [[UInt8]]) -> RESPValue { .array(fields.map { .bulk(ByteBuffer(bytes: $0)) }) }

    private func reply(_ entry: StreamEntry, _ changes: [String: String?]) -> RESPValue {
        var fields = self.fields(entry)
        for (name, value) in changes {
            if let index = stride(from: 0, to: fields.count, by: 2).first(where: { fields[$0] == Array(name.utf8) }) {
                fields.removeSubrange(index...index + 1)
            }
            if let value { fields += [Array(name.utf8), Array(value.utf8)] }
        }
        return reply(fields)
    }

    @Test func comesBackAsItWent() {
        var full = plain
        full.key = [0xff, 0, 1]
        full.value = [0xfe]
        full.deadline = 1_700_000_000_000
        full.lagMilliseconds = 12
        full.isUncertain = true
        var reconciled = plain
        reconciled.runID = ""
        reconciled.ordinal = 0
        reconciled.origin = "reconcile"
        reconciled.value = []
        for entry in [plain, full, reconciled] {
            #expect(StreamEntry(fields: reply(fields(entry))) == entry)
        }
        #expect(fields(full).contains(Array("keyBase64".utf8)) && !fields(full).contains(Array("key".utf8)))
    }

    @Test("names come in any order, the first of each counts, and what is said again is taken from the entry before")
    func inAnyOrder() {
        let pairs = stride(from: 0, to: fields(plain).count, by: 2).map { Array(fields(plain)[$0...$0 + 1]) }
        #expect(StreamEntry(fields: reply(pairs.reversed().flatMap(\.self))) == plain)
        #expect(StreamEntry(fields: reply(fields(plain) + [Array("node".utf8), Array("other".utf8)])) == plain)
        var other = plain
        (other.node, other.runID, other.ordinal, other.key) = ("10.0.0.2:6379", "abc", 9, [1])
        var texts = StreamEntry.Texts()
        for entry in [plain, plain, other, plain] {
            #expect(StreamEntry(fields: reply(fields(entry)), &texts) == entry)
        }
    }

    @Test func passesOverWhatItDoesNotKnow() {
        #expect(StreamEntry(fields: reply(plain, ["later": "field"])) == plain)
    }

    @Test(
        arguments: [
            ["key": nil], ["database": "65536"], ["database": "-1"], ["ordinal": "9007199254740992"], ["ordinal": "7x"],
            ["ordinal": "0"], ["runId": ""], ["token": nil], ["origin": "elsewhere"], ["id": ""], ["id": nil],
            ["key": nil, "keyBase64": "%%"], ["term": "one"],
        ] as [[String: String?]])
    func refuses(changes: [String: String?]) {
        #expect(StreamEntry(fields: reply(plain, changes)) == nil)
    }

    @Test func refusesWhatIsTooMuch() {
        #expect(StreamEntry(fields: reply(plain, ["node": String(repeating: "x", count: 513)])) == nil)
        #expect(StreamEntry(fields: reply(plain, ["id": String(repeating: "x", count: 600)])) == nil)
        #expect(StreamEntry(fields: reply(fields(plain) + Array(repeating: [1], count: 130))) == nil)
        #expect(StreamEntry(fields: reply(fields(plain) + [[1]])) == nil)
        #expect(StreamEntry(fields: .null) == nil)
        #expect(StreamEntry(fields: .array([.null, .integer(1)])) == nil)
    }

    /// Whatever bytes come, it answers.
    @Test func standsAnyBytes() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var fields = fields(plain)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = fields.indices.randomElement(using: &random)!
                fields[index] = (0..<Int.random(in: 0...12, using: &random)).map { _ in .random(in: 0...255) }
            }
            _ = StreamEntry(fields: reply(fields))
        }
    }
}
