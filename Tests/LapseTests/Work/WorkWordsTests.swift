import RESP
import RedisClient
import Testing

@testable import Lapse

/// What goes with each order of a worker.
@Suite struct WorkWordsTests {
    @Test("IDs go over the wire as they are written")
    func ids() {
        let ids = [
            StreamID.zero, StreamID(milliseconds: 1_700_000_000_000, number: 10), StreamID(milliseconds: 9, number: 99),
            StreamID(milliseconds: .max, number: .max),
        ]
        var words = RESPWords()
        for id in ids { words.append(id) }
        words.append(Array("nonce-".utf8), 100)
        #expect(RESPCommand(words) == RESPCommand(ids.map { "\($0)" } + ["nonce-100"]))
    }

    @Test("the hash of the attempts stands in the slot of its stream, one for each group's worker")
    func keys() throws {
        let known = WorkKeys()
        func keys(_ partition: String) throws -> [String] {
            try known.of(partition, "g").map { String(decoding: $0, as: UTF8.self) }
        }
        for _ in 1...2 {
            #expect(try keys("exp") == ["exp", "{exp}:lapse:attempts:g"])
            #expect(try keys("exp:{p0-1}") == ["exp:{p0-1}", "exp:{p0-1}:lapse:attempts:g"])
        }
        #expect(throws: RedisError.self) { try keys("a}b{") }
    }
}
