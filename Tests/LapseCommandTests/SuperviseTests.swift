import Foundation
import Glibc
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// Workers below a parent, with real processes against a real server.
///
/// That a lease was released, and did not run out, is told by the server: an expired lock would be in
/// its count.
@Suite(.timeLimit(.minutes(4)), .serialized) struct SuperviseTests {
    private func start(
        _ server: ThrowawayServer, _ id: String, _ options: [String] = [], environment: [String: String] = [:]
    ) throws -> LapseBinary.Child {
        try LapseBinary.start(
            ["run", "--redis", server.url, "--id", id, "--admin", "off", "--handler", "ndjson", "--supervise", "on"]
                + options, environment: environment)
    }

    private func elect(
        _ server: ThrowawayServer, _ id: String, _ options: [String] = [], run script: String
    ) throws -> LapseBinary.Child {
        try LapseBinary.start(
            ["elect", "--redis", server.url, "--id", id, "--supervise", "on"] + options + ["--", "sh", "-c", script])
    }

    @Test(arguments: [SIGKILL, SIGILL, SIGTRAP, SIGABRT])
    func theLeaseOfOneThatDiedIsReleased(_ signal: Int32) async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", ["--lease-ttl", "6s"])
        try await first.waitUntilItLeads()
        let second = try start(server, "two", ["--lease-ttl", "6s"])
        try await waitUntil("it follows", within: .seconds(20)) {
            second.text.errors.contains("following") ? nil : second.text.errors
        }
        try await first.waitUntilItHasLedForLong()
        let dead = try await first.worker()
        kill(dead, signal)
        try await second.waitUntilItLeads()
        #expect(try await server.expiredKeys() == 0, "\(first.text.errors)")
        #expect(first.text.errors.contains("the worker was ended by signal \(signal)"))
        // Another worker stands by.
        try await waitUntil("another worker follows", within: .seconds(20)) {
            first.text.errors.contains("following") ? nil : first.text.errors
        }
        #expect(try await first.worker() != dead)
        first.signal(SIGTERM)
        second.signal(SIGTERM)
        #expect(try await first.end().code == 0)
        #expect(try await second.end().code == 0)
        #expect(try await server.cli("KEYS", "*:lock") == "")
        await server.shutDown()
    }

    /// The signature of the dead stands for seconds, with the same ID: it is no duplicate.
    @Test func oneThatComesBackDoesNotTakeItsFormerSelfForAnother() async throws {
        let server = try await ThrowawayServer.start()
        let rules = ElectionKeys.rules(inCluster: false, name: "default")[0].rules
        func signed() async throws -> Set<String> {
            Set(try await server.cli("HKEYS", rules).split(whereSeparator: \.isNewline).map(String.init))
        }
        let child = try start(server, "one", ["--lease-ttl", "8s"])
        try await child.waitUntilItLeads()
        let before = try await signed()
        #expect(before.count == 1)
        kill(try await child.worker(), SIGKILL)
        var stoodBesideIt = false
        try await waitUntil("only the next one has signed", within: .seconds(30)) {
            let now = try await signed()
            stoodBesideIt = stoodBesideIt || now.count == 2
            return now.count == 1 && now != before ? nil : "\(now)"
        }
        #expect(stoodBesideIt)
        #expect(!child.text.errors.contains("another replica has the same id"), "\(child.text.errors)")
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    @Test func everythingIsHandledThroughDeaths() async throws {
        let server = try await ThrowawayServer.start()
        let replicas = try ["one", "two"].map { try start(server, $0, ["--lease-ttl", "6s"]) }
        var set = 0
        /// Keys that expire while it lasts.
        func feed(_ rounds: Int) async throws {
            for _ in 0..<rounds {
                try await server.script((set..<set + 10).map { "SET k:\($0) v PX 5" })
                set += 10
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        func terms() -> Int { replicas.reduce(0) { $0 + $1.text.errors.matches("became leader") } }
        func living() -> LapseBinary.Child? {
            replicas.first { child in
                let lines = child.text.errors
                return lines.matches("became leader") > lines.matches("ended by signal")
            }
        }
        for signal in [SIGKILL, SIGILL] {
            try await waitUntil("one leads", within: .seconds(30)) { living() == nil ? "none" : nil }
            try await feed(54)
            let (leader, before) = (try #require(living()), terms())
            kill(try await leader.worker(), signal)
            try await feed(5)
            try await waitUntil("another one leads", within: .seconds(30)) { terms() > before ? nil : "not yet" }
        }
        let wanted = Set((0..<set).map { "k:\($0)" })
        try await waitUntil("all are handled", within: .seconds(30)) {
            let lines = replicas.flatMap(\.lines)
            let handled = wanted.filter { key in lines.contains { $0.contains("\"\(key)\"") } }
            return handled.count == set ? nil : "\(handled.count) of \(set) are"
        }
        for child in replicas {
            child.signal(SIGTERM)
            #expect(try await child.end().code == 0)
        }
        await server.shutDown()
    }

    @Test func oneThatHadJustBegunToLeadLosesItsLeaseByTimeOnly() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", ["--lease-ttl", "2s", "--on-crash", "exit"])
        try await first.waitUntilItLeads()
        kill(try await first.worker(), SIGKILL)
        let run = try await first.end()
        #expect(run.code == 128 + SIGKILL)
        #expect(run.errors.contains("its lease is left to run out"))
        #expect(!run.errors.contains("lease released"))
        let second = try start(server, "two", ["--lease-ttl", "2s"])
        try await second.waitUntilItLeads()
        #expect(try await server.expiredKeys() > 0, "the lock ran out")
        second.signal(SIGTERM)
        #expect(try await second.end().code == 0)
        await server.shutDown()
    }

    @Test func nothingOfTheDeadLivesWhenTheNextLeads() async throws {
        let server = try await ThrowawayServer.start()
        let file = try TemporaryFile("")
        // The runaway leaves the group, the session and its parent.
        let script = "(setsid sh -c 'echo $$ >\(file.path); exec sleep 1000' &); sleep 1000"
        let first = try elect(server, "one", ["--lease-ttl", "6s"], run: script)
        try await first.waitUntilItLeads()
        var runaway: Int32 = 0
        try await waitUntil("the runaway runs", within: .seconds(10)) {
            let text = try String(contentsOfFile: file.path, encoding: .utf8)
            runaway = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
            return runaway > 0 ? nil : "not yet"
        }
        let second = try elect(
            server, "two", ["--lease-ttl", "6s"],
            run: "if kill -0 \(runaway) 2>/dev/null; then echo alive; else echo gone; fi; sleep 1000")
        try await first.waitUntilItHasLedForLong()
        #expect(kill(runaway, 0) == 0)
        kill(try await first.worker(), SIGKILL)
        try await waitUntil("the next program runs", within: .seconds(20)) {
            second.lines.isEmpty ? second.text.errors : nil
        }
        #expect(second.lines == ["gone"])
        #expect(try await server.expiredKeys() == 0)
        for child in [first, second] { child.signal(SIGTERM) }
        _ = try await first.end()
        _ = try await second.end()
        await server.shutDown()
    }

    @Test func withoutItsParentAWorkerDrainsAndHandsOver() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", ["--lease-ttl", "1s"])
        try await first.waitUntilItLeads()
        let worker = try await first.worker()
        first.signal(SIGKILL)
        try await waitUntil("the worker ends", within: .seconds(20)) {
            first.text.errors.contains("leadership released") && kill(worker, 0) != 0 ? nil : first.text.errors
        }
        #expect(try await server.cli("KEYS", "*:lock") == "")
        await server.shutDown()
    }

    @Test func aStoppedWorkerIsLeftAlone() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", ["--lease-ttl", "1s"])
        try await first.waitUntilItLeads()
        let second = try start(server, "two", ["--lease-ttl", "1s"])
        let stopped = try await first.worker()
        kill(stopped, SIGSTOP)
        try await second.waitUntilItLeads()
        #expect(try await first.worker() == stopped)
        kill(stopped, SIGCONT)
        try await waitUntil("it follows", within: .seconds(20)) {
            first.text.errors.contains("following") ? nil : first.text.errors
        }
        for child in [first, second] {
            child.signal(SIGTERM)
            #expect(try await child.end().code == 0)
        }
        await server.shutDown()
    }

    @Test func exitCodesAreTheWorkers() async throws {
        let usage = try await LapseBinary.run(["run", "--supervise", "on", "--lease-ttl", "nonsense"])
        #expect(usage.code == 64)
        let impossible = try await LapseBinary.run([
            "run", "--supervise", "on", "--dead-letter", "x", "--redis", "nonsense",
        ])
        #expect(impossible.code == 64, "\(impossible.errors)")
        let server = try await ThrowawayServer.start()
        let program = try elect(server, "one", ["--lease-ttl", "1s"], run: "exit 7")
        #expect(try await program.end().code == 7)
        await server.shutDown()
    }
}
