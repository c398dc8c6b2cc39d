import ExpirationStream
import NIOCore
import RESP
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// The script that appends, on a real server, and the value that says what it should answer.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct StreamScriptTests {
    @Test("what was heard together shares a template, with deadlines as well")
    func groups() {
        let words = StreamEntries(
            Self.withDeadlines(from: 11, NodeProcess(runID: "run", node: "10.0.0.1:6379")).prefix(2).map { $0 }
        ).words
        #expect(words[0].map { String(buffer: $0) } == "2")
    }

    @Test("an entry is appended once, in whatever order its position comes, and reads back as it went")
    func once() async throws {
        try await Self.withStage { stage in
            #expect(try await stage.answer([5, 7, 8].map { Self.item($0) }).appended == 3)
            // A lost answer, and those that waited.
            let again = try await stage.answer([5, 6, 7, 8, 3].map { Self.item($0) })
            #expect(again.verdicts == [.has, .append, .has, .has, .append])
            #expect(again.before == 3 && again.vanished == 0)
            // What has no position is appended each time.
            #expect(try await stage.answer([Self.item(0, "x"), Self.item(0, "x")]).appended == 2)
            let reply = try await stage.client.send([RESPCommand("XRANGE", "s", "-", "+")])
            let entries = try #require(reply.first?.array).map { StreamEntry(fields: $0.array?.last ?? .null) }
            #expect(entries.map { $0?.ordinal } == [5, 7, 8, 6, 3, 0, 0])
            #expect(try await stage.server.cli("TTL", stage.keys.cursor(of: 0, runID: "run")) != "-1")
        }
    }

    @Test("an entry has the fields of its expiration, whatever shares a call with it")
    func fields() async throws {
        try await Self.withStage { stage in
            let process = NodeProcess(runID: "run", node: "10.0.0.1:6379")
            let keys: [[UInt8]] = [
                Array("a".utf8), [0xFF, 0x0D, 0x0A], Array("ü{}'".utf8), [0xC3], [], Array("b".utf8),
            ]
            var expirations = keys.enumerated().map { index, key in
                Expiration(
                    key: ExpirationKey(bytes: key), database: UInt16(index % 2), process: process,
                    ordinal: UInt64(index + 1), origin: index < 3 ? .live : .takeover, receivedMilliseconds: 0)
            }
            for value in ["kept", nil, "\u{0}"] as [String?] {
                expirations.append(
                    Expiration(
                        key: ExpirationKey("timer"), position: Position(runID: "", ordinal: 0), origin: .reconcile,
                        value: value.map { Array($0.utf8) }))
            }
            expirations.append(
                Expiration(key: ExpirationKey("c"), position: Position(runID: "run", ordinal: 9), value: [0xFE]))
            expirations += Self.withDeadlines(from: 11, process)
            #expect(try await stage.answer(expirations).appended == expirations.count)
            // The second one has stood there under another key.
            expirations.append(Expiration(key: ExpirationKey("d"), position: Position(runID: "run", ordinal: 2)))
            _ = try await stage.answer([expirations.last!])
            let reply = try await stage.client.send([RESPCommand("XRANGE", "s", "-", "+")])
            let found = try #require(reply.first?.array).map { $0.array?.last ?? .null }
            #expect(found.count == expirations.count)
            for (index, (expiration, fields)) in zip(expirations, found).enumerated() {
                let isUncertain = index == expirations.count - 1
                let entry = StreamEntry(
                    id: EventID.of(
                        runID: expiration.runID, ordinal: expiration.ordinal, database: expiration.database,
                        key: expiration.key.bytes, value: expiration.value),
                    key: expiration.key.bytes, database: expiration.database, node: expiration.node,
                    runID: expiration.runID, ordinal: expiration.ordinal, origin: expiration.origin.rawValue,
                    deadline: expiration.knownDeadline?.milliseconds,
                    lagMilliseconds: expiration.knownDeadline?.lagMilliseconds, value: expiration.value, term: 1,
                    token: 7, isUncertain: isUncertain)
                #expect(StreamEntry(fields: fields) == entry)
                // Their order as well: entries with equal names take less memory.
                let words = try #require(fields.array).compactMap(\.bytes)
                #expect(words == (0..<entry.fields.count).compactMap { entry.fields[$0] })
            }
        }
    }

    @Test("a position under another key, and one from long ago, are appended and marked")
    func uncertain() async throws {
        try await Self.withStage { stage in
            _ = try await stage.answer([Self.item(5, "a"), Self.item(6, "b")])
            #expect(
                try await stage.answer([Self.item(5, "b"), Self.item(6, "b")]).verdicts == [.appendUncertain, .has])
            // Its answer was lost: once is enough.
            #expect(try await stage.answer([Self.item(5, "b")]).verdicts == [.has])
            _ = try await stage.answer([Self.item(StreamCursor.window * 3)])
            #expect(try await stage.answer([Self.item(7)]).verdicts == [.appendUncertain])
            let entry = try await stage.server.cli("XREVRANGE", "s", "+", "-", "COUNT", "1")
            #expect(entry.contains("uncertain"))
        }
    }

    @Test("script and value agree over random sequences")
    func model() async throws {
        try await Self.withStage { stage in
            for seed in UInt64(1)...6 {
                try await stage.server.cli("FLUSHALL")
                var random = SeededRandom(seed)
                var cursor = StreamCursor()
                var at: UInt64 = 1
                for step in 0..<60 {
                    switch UInt64.random(in: 0..<12, using: &random) {
                    case 0: at += .random(in: 0...StreamCursor.window * 2, using: &random)
                    case 1: at -= min(at - 1, .random(in: 0...StreamCursor.window * 2, using: &random))
                    default: at += .random(in: 0...300, using: &random)
                    }
                    let items = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                        let ordinal = at + .random(in: 0...200, using: &random)
                        return Self.item(ordinal, Bool.random(using: &random) ? nil : "other")
                    }
                    let expected = items.map { cursor.take($0.ordinal, mark: $0.digest.mark) }
                    cursor.close()
                    let answer = try await stage.answer(items)
                    #expect(answer.verdicts == expected, "seed \(seed), step \(step)")
                    guard answer.verdicts == expected else { return }
                }
                // At most the window, the last word with it, and three fields more.
                let fields = try await stage.server.cli("HLEN", stage.keys.cursor(of: 0, runID: "run"))
                #expect(Int(fields)! <= Int(StreamCursor.words) + 3)
            }
        }
    }

    @Test("a leader of the past appends nothing, unless its store has begun its tokens anew")
    func fencing() async throws {
        try await Self.withStage { stage in
            _ = try await stage.answer([Self.item(1)])
            func writer(_ token: UInt64, _ store: String = "redis", epoch: UInt64 = 0) -> StreamAppend.Writer {
                .init(store: store, token: token, epoch: epoch)
            }
            #expect(try await stage.append([Self.item(2)], writer(6)) == .fenced)
            #expect(try await stage.server.cli("XLEN", "s") == "1")
            // Tokens of another store say nothing about this one's.
            #expect(try await stage.append([Self.item(2)], writer(1, "etcd://x")) != .fenced)
            #expect(try await stage.append([Self.item(3)], writer(5, epoch: 1)) != .fenced)
            // One that has not heard of the new epoch does not fence those that have.
            #expect(try await stage.append([Self.item(4)], writer(6)) != .fenced)
            #expect(try await stage.append([Self.item(5)], writer(5, epoch: 1)) != .fenced)
            #expect(try await stage.append([Self.item(6)], writer(4, epoch: 1)) == .fenced)
        }
    }

    @Test("a server that was promoted without the last entries takes none before it has those")
    func rolledBack() async throws {
        try await Self.withStage { stage in
            _ = try await stage.answer((1...10).map { Self.item($0) })
            #expect(try await stage.append([Self.item(11)], known: 12) == .behind(10))
            #expect(try await stage.upkeep(known: 12) == .behind(10))
            #expect(try await stage.server.cli("XLEN", "s") == "10")
            #expect(try await stage.append([Self.item(11)], known: 10) != .behind(10))
            #expect(try await stage.append([Self.item(12)], known: 3) != .behind(10), "another term's are no fault")
        }
    }

    @Test("the bound holds, and what no group had read is counted; what another client takes is noticed")
    func boundAndStrangers() async throws {
        try await Self.withStage { stage in
            _ = try await stage.answer((1...10).map { Self.item($0) })
            try await stage.server.cli("XGROUP", "CREATE", "s", "workers", "0")
            try await stage.server.cli("XREADGROUP", "GROUP", "workers", "a", "COUNT", "4", "STREAMS", "s", ">")
            let answer = try await stage.answer((11...15).map { Self.item($0) }, limit: 8)
            #expect(answer.unread == 3 && answer.vanished == 0)
            #expect(try await stage.server.cli("XLEN", "s") == "8")
            #expect(try await stage.answer([Self.item(16)]).vanished == 0)
            try await stage.server.cli("XTRIM", "s", "MAXLEN", "2")
            #expect(try await stage.answer([Self.item(17)]).vanished == 7)
            #expect(try await stage.answer([Self.item(18)]).vanished == 0)
            try await stage.server.cli("DEL", "s")
            #expect(try await stage.answer([Self.item(18)]).vanished == 4)
        }
    }

    @Test("what every group has acknowledged is taken away, and nothing without a group")
    func trimming() async throws {
        try await Self.withStage { stage in
            try await stage.server.cli("CONFIG", "SET", "stream-node-max-entries", "10")
            #expect(try await stage.upkeep() != nil, "no stream is no trouble")
            #expect(try await stage.left() == 0)
            _ = try await stage.answer((1...100).map { Self.item($0) })
            _ = try await stage.upkeep()
            #expect(try await stage.server.cli("XLEN", "s") == "100")
            #expect(try await stage.left() == 100)
            for group in ["one", "two"] {
                try await stage.server.cli("XGROUP", "CREATE", "s", group, "0")
                try await stage.server.cli("XREADGROUP", "GROUP", group, "a", "COUNT", "60", "STREAMS", "s", ">")
            }
            func acknowledge(_ group: String, _ count: Int) async throws {
                let pending = try await stage.server.cli("XPENDING", "s", group, "-", "+", "\(count)")
                let ids = pending.split(separator: "\n").filter { $0.contains("-") }.map(String.init)
                try await stage.server.cli(["XACK", "s", group] + ids)
            }
            try await acknowledge("one", 60)
            try await acknowledge("two", 30)
            _ = try await stage.upkeep()
            #expect(try await stage.server.cli("XLEN", "s") == "70")
            try await acknowledge("two", 30)
            _ = try await stage.upkeep()
            #expect(try await stage.server.cli("XLEN", "s") == "40")
            for group in ["one", "two"] {
                #expect(try await stage.left() == 40)
                try await stage.server.cli("XREADGROUP", "GROUP", group, "a", "NOACK", "STREAMS", "s", ">")
            }
            #expect(try await stage.left() == 0)
            #expect(try await stage.server.cli("XLEN", "s") == "40", "it only looks")
            #expect(try await stage.answer([Self.item(101)]).vanished == 0, "what the writer takes has not vanished")
        }
    }

    @Test("what is refused leaves nothing behind: another type, a full memory, a missing right")
    func refusals() async throws {
        try await Self.withStage { stage in
            func refusal() async throws -> String {
                try await stage.send([Self.item(1)], Self.writer, known: 0, limit: 0).error?.text ?? "none"
            }
            try await stage.server.cli("SET", "s", "no stream")
            #expect(try await refusal().contains("WRONGTYPE"))
            try await stage.server.cli("DEL", "s")
            try await stage.server.cli("CONFIG", "SET", "maxmemory", "1")
            #expect(try await refusal().contains("OOM"))
            try await stage.server.cli("CONFIG", "SET", "maxmemory", "0")
            try await stage.server.cli("ACL", "SETUSER", "default", "-xadd")
            #expect(try await refusal() != "none")
            #expect(try await stage.server.cli("EXISTS", "s") == "0")
            try await stage.server.cli("ACL", "SETUSER", "default", "+xadd")
            #expect(try await stage.answer([Self.item(1)]).verdicts == [.append], "the cursor did not take it")
        }
    }

    @Test func answersThatCannotBeAreNone() {
        func outcome(_ parts: RESPValue...) -> StreamAppend.Outcome? { StreamAppend.outcome(.array(parts), of: 2) }
        let ok = RESPValue.simple("ok")
        #expect(outcome(ok, .simple("ah"), .simple("3"), .integer(0), .integer(0)) != nil)
        #expect(outcome(ok, .simple("a"), .simple("3"), .integer(0), .integer(0)) == nil)
        #expect(outcome(ok, .simple("ax"), .simple("3"), .integer(0), .integer(0)) == nil)
        #expect(outcome(ok, .simple("ah"), .simple("-3"), .integer(0), .integer(0)) == nil)
        #expect(outcome(ok, .simple("ah"), .simple("3"), .integer(-1), .integer(0)) == nil)
        #expect(outcome(ok) == nil)
        #expect(outcome(.simple("fenced"), .simple("9")) == .fenced)
        #expect(StreamAppend.outcome(.null, of: 0) == nil)
    }
}

/// SplitMix64.
private struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
