import Foundation
import Lapse
import Testing
import ThrowawayRedis

@testable import LapseCommand

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// `lapse work` as processes, over a real stream in the format of `lapse run --stream`.
@Suite(.timeLimit(.minutes(2)), .serialized) struct WorkTests {
    /// Adds expirations of the keys `k:<number>`.
    private func add(_ server: ThrowawayServer, to stream: String = "exp", _ numbers: ClosedRange<Int>) async throws {
        let script = """
            for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
              redis.call('XADD', KEYS[1], '*', 'id', 'run-' .. i, 'key', 'k:' .. i, 'database', '0', 'node', 'n:1', 'runId', 'run',
                'ordinal', i, 'origin', 'live', 'term', '1', 'token', '5')
            end
            """
        _ = try await server.cli("EVAL", script, "1", stream, "\(numbers.lowerBound)", "\(numbers.upperBound)")
    }

    private func work(
        _ server: ThrowawayServer, _ id: String, _ words: String..., stream: String = "exp"
    ) throws -> LapseBinary.Child {
        try LapseBinary.start(
            [
                "work", "--redis", server.url, "--stream", stream, "--group", "g", "--id", id, "--claim-after", "600ms",
                "--dead-letter", "dead",
            ] + words)
    }

    private func keys(_ children: [LapseBinary.Child]) -> [String: Int] {
        let names = children.flatMap(\.lines).compactMap {
            $0.firstMatch(of: /"key":"(k:\d+)".*\}$/).map { String($0.1) }
        }
        return Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
    }

    private func pending(_ server: ThrowawayServer, _ stream: String = "exp") async throws -> String {
        String(try await server.cli("XPENDING", stream, "g").prefix { !$0.isNewline })
    }

    @Test func theOthersHandleWhatTheDeadLeave() async throws {
        let server = try await ThrowawayServer.start()
        let children = try ["a", "b", "c"].map { try work(server, $0, "--handler", "ndjson", "--log-level", "error") }
        try await waitUntil("all are reading", within: .seconds(15)) {
            let clients = try await server.cli("CLIENT", "LIST")
            return ["a", "b", "c"].allSatisfy { clients.contains("name=lapse:\($0):read ") } ? nil : clients
        }
        for batch in 0..<20 {
            try await add(server, batch * 100 + 1...batch * 100 + 100)
            // In the middle of it.
            if batch == 6 { children[0].signal(SIGKILL) }
            if batch == 13 { children[1].signal(SIGKILL) }
        }
        try await waitUntil("all are handled", within: .seconds(30)) {
            let count = keys(children).count
            return count == 2000 ? nil : "\(count)"
        }
        try await waitUntil("nothing is pending", within: .seconds(10)) {
            let count = try await pending(server)
            return count == "0" ? nil : count
        }
        #expect(try await server.cli("EXISTS", "dead", "{exp}:lapse:attempts:g") == "0")
        children[2].signal(SIGTERM)
        let run = try await children[2].end()
        #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
        // It has left the group.
        #expect(try await !server.cli("XINFO", "CONSUMERS", "exp", "g").split(separator: "\n").contains("c"))
        await server.shutDown()
    }

    /// Attempts count as they begin: what is in the hand of a worker that dies has begun none, and what
    /// kills its workers ends.
    @Test func anAttemptCountsWhenItBegins() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...3)
        // The program kills its worker, its parent, for k:1 only.
        let program = #"sh -c 'test "$LAPSE_KEY" != k:1 || kill -9 $PPID'"#
        var run: LapseBinary.Child?
        for attempt in 1...3 {
            let child = try work(
                server, "w\(attempt)", "--exec", program, "--retries", "1", "--concurrency", "1", "--log-level", "info")
            if attempt < 3 { #expect(try await child.end().code != 0) } else { run = child }
        }
        let last = try #require(run)
        try await waitUntil("nothing is pending", within: .seconds(15)) {
            let count = try await pending(server)
            return count == "0" ? nil : "\(count)\n\(last.text.errors)"
        }
        let letters = try await LapseBinary.run(
            ["dead-letters", "list", "--redis", server.url, "--dead-letter", "dead", "--json"])
        #expect(letters.output.split(separator: "\n").count == 1, "\(letters)")
        #expect(letters.output.contains(#""key":"k:1""#) && letters.output.contains(#""attempts":2"#), "\(letters)")
        last.signal(SIGTERM)
        #expect(try await last.end().code == 0)
        await server.shutDown()
    }

    /// A worker that leaves gives back at once what it has not handled, and new partitions are found.
    @Test func whoLeavesGivesBack() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...8)
        let first = try LapseBinary.start([
            "work", "--redis", server.url, "--stream", "exp", "--group", "g", "--id", "slow", "--exec", "sleep 60",
            "--concurrency", "8", "--drain", "100ms", "--claim-after", "1m",
        ])
        try await waitUntil("it has all of them", within: .seconds(15)) {
            let count = try await server.cli("HLEN", "{exp}:lapse:attempts:g")
            return count == "8" ? nil : count
        }
        first.signal(SIGTERM)
        let run = try await first.end()
        #expect(run.code == 0, "\(run.errors)")
        let second = try LapseBinary.start([
            "work", "--redis", server.url, "--stream", "exp", "--group", "g", "--handler", "ndjson", "--claim-after",
            "1m",
        ])
        try await waitUntil("the other one has handled them", within: .seconds(15)) {
            keys([second]).count == 8 ? nil : "\(second.text)"
        }
        #expect(second.lines.allSatisfy { $0.contains(#""attempt":2"#) }, "\(second.lines)")

        _ = try await server.cli("HSET", "{exp}:lapse:layout", "format", "1", "partitions", "2")
        let partition = try await partitionsMade(server)
        try await add(server, to: partition, 9...9)
        try await waitUntil("the new partition is read", within: .seconds(10)) {
            keys([second])["k:9"] == nil ? "\(second.text)" : nil
        }
        second.signal(SIGTERM)
        #expect(try await second.end().code == 0)
        await server.shutDown()
    }

    /// As with `lapse run`: a receiver that is away for minutes makes no dead letters of what is well.
    @Test(arguments: [
        (["webhook": ["http://h/"]], 68), (["webhook": ["http://h/"], "retries": ["2"]], 2), (["handler": ["none"]], 5),
    ])
    func aReceiverMayBeAway(options: [String: [String]], retries: Int) async throws {
        let values = try await OptionValues(
            given: options.merging(["stream": ["s"], "group": ["g"]]) { own, _ in own }, environment: [:])
        let (configuration, handler) = try WorkCommand.worker(values, environment: [:])
        await handler.shutDown()
        #expect(configuration.retries == retries)
    }

    private func partitionsMade(_ server: ThrowawayServer) async throws -> String {
        var found: String?
        try await waitUntil("the group is made there", within: .seconds(20)) {
            found = try await server.cli("KEYS", "exp:{p1-*}").split(separator: "\n").first.map(String.init)
            return found == nil ? "none" : nil
        }
        return try #require(found)
    }

    /// Trimmed while a handler has it, and the handler fails: a letter has it, and nothing of it is left
    /// behind.
    @Test func whatIsTrimmedInHandIsNotLost() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...1)
        let child = try LapseBinary.start([
            "work", "--redis", server.url, "--stream", "exp", "--group", "g", "--claim-after", "1500ms",
            "--dead-letter",
            "dead", "--exec", "sh -c 'sleep 1; exit 1'",
        ])
        try await waitUntil("the handler has it", within: .seconds(15)) {
            try await server.cli("HLEN", "{exp}:lapse:attempts:g") == "1" ? nil : child.text.errors
        }
        _ = try await server.cli("XTRIM", "exp", "MAXLEN", "0")
        try await waitUntil("it is a letter", within: .seconds(15)) {
            let letters = try await server.cli("XRANGE", "dead", "-", "+")
            return letters.contains("k:1") && letters.contains("it was deleted from the stream") ? nil : letters
        }
        try await waitUntil("nothing is pending", within: .seconds(10)) {
            let count = try await pending(server)
            return count == "0" ? nil : count
        }
        #expect(try await server.cli("EXISTS", "{exp}:lapse:attempts:g") == "0")
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    @Test func whatCannotWorkIsSaidInOneLine() async throws {
        var options = ServerOptions()
        options.users = ["user poor on >secret ~* &* +@all -xreadgroup -xgroup"]
        let server = try await ThrowawayServer.start(options)
        for (words, code, text) in [
            (["work", "--group", "g"], Int32(64), "lapse: --stream: name the stream"),
            (["work", "--stream", "exp"], 64, "lapse: --group: name the consumer group"),
            (["work", "--stream", "a{b", "--group", "g"], 64, "lapse: --stream: has braces"),
            (
                ["work", "--stream", "exp", "--group", "g", "--dead-letter", "exp"], 64,
                "lapse: --dead-letter: another key"
            ),
            (["work", "--stream", "text", "--group", "g"], 64, "lapse: --stream: text is a key of another type"),
        ] {
            _ = try await server.cli("SET", "text", "x")
            let run = try await LapseBinary.run(words + ["--redis", server.url])
            #expect(run.code == code && run.lastLine.hasPrefix(text), "\(words): \(run)")
        }
        let poor = try await LapseBinary.run(
            ["work", "--redis", "redis://poor:secret@\(server.address)", "--stream", "exp", "--group", "g"])
        #expect(poor.code == 77 && poor.lastLine.contains("NOPERM"), "\(poor)")
        await server.shutDown()
    }

    @Test func lettersThatMayNotBeCountedAreSaid() async throws {
        var options = ServerOptions()
        options.users = ["user counts on >secret ~* &* +@all -xlen"]
        let server = try await ThrowawayServer.start(options)
        try await add(server, 1...1)
        let child = try LapseBinary.start([
            "work", "--redis", "redis://counts:secret@\(server.address)", "--stream", "exp", "--group", "g",
            "--handler", "none", "--dead-letter", "dead",
        ])
        try await waitUntil("it says so", within: .seconds(15)) {
            let errors = child.text.errors
            return errors.contains("dead letters cannot be counted") && errors.contains("+xlen") ? nil : errors
        }
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    @Test func theAdminPortTellsHowItStands() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...3)
        let child = try work(server, "w", "--handler", "none", "--admin", "127.0.0.1:0")
        var address: String?
        try await waitUntil("the port is open", within: .seconds(15)) {
            address = child.text.errors.firstMatch(of: /address=(127[.0-9:]+)/).map { String($0.1) }
            return address == nil ? child.text.errors : nil
        }
        let admin = try #require(address)
        try await waitUntil("it is ready", within: .seconds(15)) {
            let run = try await LapseBinary.run(["health", "--ready", "--admin", admin])
            return run.code == 0 ? nil : "\(run)"
        }
        var text = ""
        try await waitUntil("it counts", within: .seconds(15)) {
            let (data, _) = try await URLSession.shared.data(from: try #require(URL(string: "http://\(admin)/metrics")))
            text = String(decoding: data, as: UTF8.self)
            return text.contains(#"lapse_expirations_handled_total{origin="live"} 3"#) && text.contains("lapse_ready 1")
                ? nil : text
        }
        // A worker that said `lapse_leader 0` would be a group without a leader to the alerts.
        let families = Set(text.matches(of: /TYPE (lapse_[a-z_]+)/).map { String($0.output.1) })
        #expect(families == Set(LapseMetrics.ofWorkers.map(\.name)), "\(families)")
        let (data, _) = try await URLSession.shared.data(from: try #require(URL(string: "http://\(admin)/status")))
        #expect(String(decoding: data, as: UTF8.self).contains(#""partitions":["exp"]"#))
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    /// A server that goes away and comes back is one line each, and no end.
    @Test func anOutageIsSaidAndOutlived() async throws {
        let server = try await ThrowawayServer.start()
        let child = try work(server, "w", "--handler", "ndjson", "--log-level", "notice")
        try await waitUntil("it works", within: .seconds(15)) {
            try await server.cli("EXISTS", "exp") == "1" ? nil : "no group"
        }
        await server.kill()
        try await waitUntil("it says so", within: .seconds(15)) {
            child.text.errors.contains("the stream cannot be worked on") ? nil : child.text.errors
        }
        // Its memory is gone, and the group with it.
        try await server.start()
        try await waitUntil("the group is made again", within: .seconds(15)) {
            try await server.cli("EXISTS", "exp") == "1" ? nil : child.text.errors
        }
        try await add(server, 1...1)
        try await waitUntil("it handles", within: .seconds(15)) { keys([child]).count == 1 ? nil : child.text.errors }
        try await waitUntil("it says that all is well", within: .seconds(15)) {
            child.text.errors.contains("the stream answers again") ? nil : child.text.errors
        }
        #expect(child.text.errors.split(separator: "\n").count < 20, "\(child.text.errors)")
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }
}
