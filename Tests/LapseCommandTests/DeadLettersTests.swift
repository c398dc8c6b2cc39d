import ExpirationStream
import Foundation
import Lapse
import RESP
import RedisClient
import Testing
import ThrowawayRedis

@testable import LapseCommand

/// `lapse dead-letters`, on a real stream: what `lapse run` wrote, and what others did.
@Suite(.timeLimit(.minutes(2)), .serialized) struct DeadLettersTests {
    private struct Line: Decodable {
        var id: String
        var key: String?
        var keyBase64: String?
        var attempts: UInt64?
        var error: String?
        var unreadable: String?
        var formatVersion: Int
    }

    /// A server with letters `a:1` (id 1000-0), `a:2` (2000-0), `b:1` (3000-0) and one that is none
    /// (4000-0).
    private func filled() async throws -> ThrowawayServer {
        let server = try await ThrowawayServer.start()
        for (id, key, error) in [
            ("1000-0", "a:1", "timed out"), ("2000-0", "a:2", "refused"), ("3000-0", "b:1", "refused"),
        ] {
            try await add(server, id, key, error)
        }
        _ = try await server.cli("XADD", "dead", "4000-0", "hello", "world")
        return server
    }

    private func add(_ server: ThrowawayServer, _ id: String, _ key: String, _ error: String) async throws {
        _ = try await server.cli(
            "XADD", "dead", id, "key", key, "database", "0", "node", "127.0.0.1:1", "runId", "run", "ordinal", "7",
            "origin", "live", "attempts", "6", "error", error, "term", "3", "token", "99", "formatVersion", "1")
    }

    private func lapse(_ server: ThrowawayServer, _ words: String...) async throws -> LapseBinary.Run {
        try await LapseBinary.run(
            ["dead-letters"] + words.prefix(1) + ["--redis", server.url, "--dead-letter", "dead"] + words.dropFirst())
    }

    private func lines(_ run: LapseBinary.Run) throws -> [Line] {
        try run.output.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test func theyAreListedShownDroppedAndRetried() async throws {
        let server = try await filled()
        let all = try await lapse(server, "list", "--json")
        #expect(try lines(all).map(\.id) == ["1000-0", "2000-0", "3000-0", "4000-0"], "\(all)")
        #expect(try lines(all).last?.unreadable == "it has no field key")
        let keys = try await lapse(server, "list", "--json", "--match", "a:*")
        #expect(try lines(keys).map(\.key) == ["a:1", "a:2"])
        let errors = try await lapse(server, "list", "--json", "--error", "ref*", "--limit", "1")
        #expect(try lines(errors).map(\.id) == ["2000-0"])
        let young = try await lapse(server, "list", "--newer-than", "1h")
        #expect(young.output == "no dead letters that match\n" && young.code == 0, "\(young)")
        let old = try await lapse(server, "list", "--older-than", "1h")
        #expect(old.output.split(separator: "\n").count == 5, "\(old)")

        let shown = try await lapse(server, "show", "1000-0")
        #expect(
            shown.output.contains("position   run:7\n") && shown.output.contains("error      timed out\n"), "\(shown)")
        let absent = try await lapse(server, "show", "1000-1")
        #expect(absent.code == 1 && absent.lastLine == "lapse: there is no letter 1000-1 in dead", "\(absent)")

        // Nothing is dropped by a slip.
        let slip = try await lapse(server, "drop")
        #expect(slip.code == 64 && slip.lastLine.contains("--all-matching"), "\(slip)")
        let both = try await lapse(server, "drop", "1000-0", "--all-matching")
        #expect(both.code == 64)
        let dropped = try await lapse(server, "drop", "4000-0")
        #expect(dropped.output == "dropped 1\n")

        // One that fails stays; one that succeeds goes.
        let failed = try await lapse(server, "retry", "--exec", "false", "1000-0")
        #expect(failed.code == 1 && failed.errors.contains("dead letter not handled"), "\(failed)")
        let handled = try await lapse(server, "retry", "--handler", "ndjson", "--match", "a:*", "--all-matching")
        #expect(handled.code == 0, "\(handled)")
        let retried = handled.output.split(separator: "\n").map(String.init)
        #expect(retried.count == 2 && retried[0].contains(#""key":"a:1""#), "\(handled)")
        #expect(retried[0].contains(#""attempt":7"#) && retried[0].contains(#""token":99"#), "\(handled)")
        #expect(try await server.cli("XLEN", "dead") == "1")
        let rest = try await lapse(server, "drop", "--all-matching")
        #expect(rest.output == "dropped 1\n", "\(rest)")
        let nothing = try await lapse(server, "retry", "--all-matching")
        #expect(nothing.code == 64 && nothing.lastLine.contains("--handler"), "\(nothing)")
        _ = try await server.cli("SET", "text", "x")
        let wrong = try await LapseBinary.run(["dead-letters", "list", "--redis", server.url, "--dead-letter", "text"])
        #expect(wrong.code == 64 && wrong.lastLine == "lapse: --dead-letter: text is no stream", "\(wrong)")
        await server.shutDown()
    }

    /// A letter that is named is meant, whatever its age: a filter that would be passed over is refused.
    @Test func filtersBesideIDs() async throws {
        let server = try await filled()
        for (flag, value) in [
            ("--older-than", "1h"), ("--newer-than", "1h"), ("--match", "b:*"), ("--error", "x*"), ("--limit", "1"),
        ] {
            let drop = try await lapse(server, "drop", "1000-0", flag, value)
            #expect(drop.code == 64 && drop.lastLine.contains("\(flag) picks from all letters"), "\(drop)")
            let retry = try await lapse(server, "retry", "--handler", "none", "1000-0", flag, value)
            #expect(retry.code == 64 && retry.lastLine.contains("\(flag) picks from all letters"), "\(retry)")
        }
        #expect(try await server.cli("XLEN", "dead") == "4")
        // What the environment gives is for other commands.
        let named = try await LapseBinary.run(
            ["dead-letters", "drop", "--redis", server.url, "--dead-letter", "dead", "1000-0"],
            environment: ["LAPSE_MATCH": "b:*"])
        #expect(named.code == 0 && named.output == "dropped 1\n", "\(named)")
        await server.shutDown()
    }

    /// Into a stream, where its workers find it, at the place that its key has there.
    @Test func aLetterIsGivenToTheWorkers() async throws {
        let server = try await filled()
        _ = try await server.cli("HSET", "{exp}:lapse:layout", "format", "1", "partitions", "2")
        let run = try await lapse(server, "retry", "--stream", "exp", "--match", "a:1", "--all-matching")
        #expect(run.code == 0, "\(run)")
        #expect(try await server.cli("XLEN", "dead") == "3")
        let keys = try StreamKeys("exp", partitions: 2)
        let partition = keys.partitions[KeyDigest(database: 0, key: Array("a:1".utf8)).partition(of: 2)]
        let entry = try await server.cli("XRANGE", partition, "-", "+").split(separator: "\n")
        #expect(entry.contains("run-7") && entry.contains("a:1") && entry.contains("99"), "\(entry)")
        // A slip makes no stream in which the letter would vanish.
        let slip = try await lapse(server, "retry", "--stream", "xep", "2000-0")
        #expect(slip.code == 1 && slip.errors.contains("there is no stream xep"), "\(slip)")
        #expect(try await server.cli("EXISTS", "xep") == "0")
        #expect(try await server.cli("XLEN", "dead") == "3")
        _ = try await server.cli("XGROUP", "CREATE", "one", "g", "0", "MKSTREAM")
        #expect(try await lapse(server, "retry", "--stream", "one", "2000-0").code == 0)
        #expect(try await server.cli("XLEN", "one") == "1")
        let both = try await lapse(server, "retry", "--stream", "exp", "--exec", "true", "2000-0")
        #expect(both.code == 64 && both.lastLine.contains("exclude each other"), "\(both)")
        await server.shutDown()
    }

    /// More than a page, and what cannot be deleted while it is read.
    @Test func pagesAreFollowedToTheEnd() async throws {
        let server = try await ThrowawayServer.start()
        for number in 1...250 { try await add(server, "\(number)-0", number % 2 == 0 ? "even" : "odd", "e") }
        let run = try await lapse(server, "drop", "--match", "even", "--all-matching", "--limit", "120")
        #expect(run.output == "dropped 120\n")
        #expect(try await server.cli("XLEN", "dead") == "130")
        await server.shutDown()
    }

    /// All of them together are more than a connection takes in one reply.
    @Test func lettersWithLargeValuesAreLettersToo() async throws {
        let server = try await ThrowawayServer.start()
        let script = """
            local value = string.rep('x', 1048576)
            for i = 1, 80 do
              redis.call('XADD', KEYS[1], i .. '-0', 'key', 'k:' .. i, 'database', '0', 'node', 'n:1', 'runId', 'run',
                'ordinal', i, 'origin', 'live', 'attempts', '6', 'error', 'e', 'term', '3', 'token', '9',
                'value', value, 'formatVersion', '1')
            end
            """
        _ = try await server.cli("EVAL", script, "1", "dead")
        let one = try await lapse(server, "list", "--limit", "1")
        #expect(one.code == 0 && one.output.split(separator: "\n").count == 2, "\(one)")
        let all = try await lapse(server, "list")
        #expect(all.code == 0 && all.output.split(separator: "\n").count == 81, "\(all)")
        let retried = try await lapse(server, "retry", "--handler", "none", "--all-matching", "--limit", "30")
        #expect(retried.code == 0 && retried.errors.contains("handled=30"), "\(retried)")
        let dropped = try await lapse(server, "drop", "--all-matching")
        #expect(dropped.code == 0 && dropped.output == "dropped 50\n", "\(dropped)")
        await server.shutDown()
    }

    /// A page that is more than the connection takes is asked for again in parts.
    @Test func aPageThatIsTooLargeIsParted() async throws {
        let server = try await ThrowawayServer.start()
        let script = """
            local value = string.rep('x', 20 * 1048576)
            for i = 1, 5 do redis.call('XADD', KEYS[1], i .. '-0', 'any', value) end
            """
        _ = try await server.cli("EVAL", script, "1", "dead")
        let run = try await lapse(server, "drop", "--all-matching")
        #expect(run.code == 0 && run.output == "dropped 5\n", "\(run)")
        await server.shutDown()
    }
}

@Suite struct DeadLetterRecordTests {
    private static let record = DeadLetterRecord(
        key: [0, 255, 13, 10], database: 3, node: "n:1", runID: "r", ordinal: 5, origin: "repair", attempts: 6,
        error: "e", term: 7, token: 8, value: [1, 2], deadline: KnownDeadline(milliseconds: 9, lag: 10),
        source: .init(stream: "s", group: "g", entry: "1-2"))

    private func fields(_ record: DeadLetterRecord) -> [RESPValue] {
        let command = record.adding(to: "dead", limit: 10)
        return (6..<command.count).compactMap { command[$0].map(RESPValue.bulk) }
    }

    @Test func whatIsWrittenIsRead() throws {
        #expect(try DeadLetterRecord(fields: fields(Self.record)) == Self.record)
    }

    @Test func aRetryKnowsHowLateItWas() {
        let expiration = Self.record.expiration(receivedMilliseconds: 20)
        #expect(expiration.deadline == Date(timeIntervalSince1970: 0.009) && expiration.lag == .milliseconds(10))
    }

    @Test func whatIsNoExpirationIsNotRetried() {
        var record = Self.record
        #expect(record.noExpiration == nil)
        record.ordinal = 0
        #expect(record.noExpiration?.contains("entry 1-2 of s") == true)
        record.origin = "reconcile"
        #expect(record.noExpiration == nil)
    }

    @Test(arguments: [
        ("ordinal", "-1"), ("ordinal", "18446744073709551616"), ("database", "65536"), ("attempts", ""),
        ("formatVersion", "2"), ("token", "1e3"), ("lagMs", "-1"),
    ])
    func whatCannotBeTrueIsRefused(name: String, value: String) throws {
        var fields = fields(Self.record)
        let index = try #require(fields.firstIndex { $0.string == name })
        fields[index + 1] = .simple(value)
        #expect(throws: DeadLetterRecord.Unreadable.self) { try DeadLetterRecord(fields: fields) }
    }

    @Test(arguments: 0..<29) func aCutEntryIsRefusedOrWhole(count: Int) {
        // Never a trap, whatever is missing.
        _ = try? DeadLetterRecord(fields: Array(fields(Self.record).prefix(count)))
    }

    @Test(arguments: ["1-", "-1", "1", "1-2-3", "+1-0", "1-a", "18446744073709551616-0", " 1-0"])
    func whatIsNoIDIsNone(text: String) { #expect(StreamID(text) == nil) }
}
