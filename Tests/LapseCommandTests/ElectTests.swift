import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// `lapse elect` with real programs against a real server.
@Suite(.timeLimit(.minutes(3)), .serialized) struct ElectTests {
    private func start(
        _ server: ThrowawayServer, _ id: String, _ options: [String] = [], run script: String
    ) throws -> LapseBinary.Child {
        try LapseBinary.start(
            ["elect", "--redis", server.url, "--lease-ttl", "1s", "--id", id] + options + ["--", "sh", "-c", script])
    }

    /// Says who runs, and then does what SIGTERM finds it doing.
    private static let patient = """
        trap 'echo bye; exit 3' TERM; echo "$LAPSE_ID $LAPSE_TERM $LAPSE_TOKEN"; while :; do sleep 0.02; done
        """

    private func waitForLine(_ child: LapseBinary.Child, _ count: Int = 1) async throws -> [[Substring]] {
        try await waitUntil("the program runs", within: .seconds(15)) {
            child.lines.count >= count ? nil : "\(child.text)"
        }
        return child.lines.map { $0.split(separator: " ") }
    }

    @Test func theProgramLearnsItsTermAndItsExitCodeIsHandedOn() async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(server, "one", run: #"echo "$LAPSE_ID $LAPSE_TERM $LAPSE_TOKEN"; exit 7"#)
        let run = try await child.end()
        #expect(run.code == 7, "\(run.errors)")
        let words = try #require(child.lines.first).split(separator: " ")
        #expect(words.prefix(2) == ["one", "1"])
        #expect(try #require(UInt64(words[2])) > 0)
        #expect(run.errors.contains("leadership released"))
        #expect(try await server.cli("KEYS", "*:lock") == "")
        #expect(try await server.cli("KEYS", "*:token") != "", "the lock would be beside it")
        await server.shutDown()
    }

    @Test func noSecretReachesTheProgram() async throws {
        var options = ServerOptions()
        options.password = "geheim"
        let server = try await ThrowawayServer.start(options)
        let file = try TemporaryFile("geheim")
        let settings = try TemporaryFile("redisPasswordFile: \(file.path)\n")
        let child = try LapseBinary.start(
            ["elect", "--lease-ttl", "1s", "--id", "one", "--", "env"],
            environment: [
                "LAPSE_REDIS": "redis://:geheim@\(server.address)", "LAPSE_REDIS_PASSWORD_FILE": file.path,
                "LAPSE_CONFIG": settings.path, "LAPSE_NAME": "cron", "OTHER": "kept",
            ])
        let run = try await child.end()
        #expect(run.code == 0, "\(run.errors)")
        #expect(run.output.contains("OTHER=kept") && run.output.contains("LAPSE_NAME=cron"))
        #expect(run.output.contains("LAPSE_TOKEN="))
        #expect(!run.output.contains("geheim") && !run.output.contains("PASSWORD"), "\(run.output)")
        #expect(!run.output.contains("LAPSE_CONFIG"), "\(run.output)")
        await server.shutDown()
    }

    @Test func oneRunsAtATimeAndAStopHandsOver() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", run: Self.patient)
        let before = try await waitForLine(first)
        let second = try start(server, "two", run: Self.patient)
        try await waitUntil("the second follows", within: .seconds(10)) {
            second.text.errors.contains("following") ? nil : second.text.errors
        }
        #expect(second.lines.isEmpty)

        first.signal(SIGTERM)
        let run = try await first.end()
        #expect(run.code == 3, "\(run.errors)")
        #expect(first.lines.last == "bye")
        #expect(run.errors.contains("leadership released"))
        let after = try await waitForLine(second)
        #expect(try #require(UInt64(after[0][2])) > #require(UInt64(before[0][2])))
        #expect(after[0][1] == "2")
        second.signal(SIGINT)
        #expect(try await second.end().code == 3)
        await server.shutDown()
    }

    @Test(arguments: ["exit", "wait"]) func aLossStopsEvenAProgramThatWillNot(onLoss: String) async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(
            server, "one", ["--on-loss", onLoss],
            run: #"trap '' TERM; echo "$$ $LAPSE_TERM $LAPSE_TOKEN"; while :; do sleep 0.02; done"#)
        let before = try await waitForLine(child)
        let program = try #require(Int32(before[0][0]))
        // An operator's mistake, or a rival that thinks the lease is over.
        for key in try await server.cli("KEYS", "*:lock").split(separator: "\n") {
            _ = try await server.cli("SET", String(key), "rival:0", "PX", "300")
        }
        if onLoss == "exit" {
            let run = try await child.end()
            #expect(run.code == 75, "\(run.errors)")
            #expect(run.errors.contains("program killed"))
        } else {
            let after = try await waitForLine(child, 2)
            #expect(try #require(UInt64(after[1][2])) > #require(UInt64(before[0][2])))
            child.signal(SIGTERM)
            let run = try await child.end(within: .seconds(30))
            #expect(run.code == 128 + SIGKILL, "\(run.errors)")
        }
        #expect(kill(program, 0) != 0, "the program of the lost term still runs")
        await server.shutDown()
    }

    @Test func theProgramDiesWithLapse() async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(server, "one", run: #"echo "$$"; while :; do sleep 0.02; done"#)
        let program = try #require(Int32(try await waitForLine(child)[0][0]))
        child.signal(SIGKILL)
        _ = try await child.end()
        try await waitUntil("the program has ended", within: .seconds(10)) {
            kill(program, 0) == 0 ? "it still runs" : nil
        }
        await server.shutDown()
    }

    /// Row 113. A script, its child, and one that left the group: none of them hears SIGTERM.
    private static let stubborn = """
        trap '' TERM; sleep 1000 & a=$!; setsid sleep 1000 & echo "$$ $a $!"; while :; do sleep 0.02; done
        """

    private func waitForEnd(of programs: [Int32]) async throws {
        try await waitUntil("the program and its children have ended", within: .seconds(10)) {
            let living = programs.filter { kill($0, 0) == 0 }
            return living.isEmpty ? nil : "\(living) still run"
        }
    }

    @Test func whenLapseIsStoppedTheProgramEndsBeforeTheNextBegins() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", run: Self.stubborn)
        let programs = try await waitForLine(first)[0].compactMap { Int32($0) }
        try #require(programs.count == 3)
        let second = try start(server, "two", run: Self.patient)
        try await waitUntil("the second follows", within: .seconds(10)) {
            second.text.errors.contains("following") ? nil : second.text.errors
        }
        first.signal(SIGSTOP)
        _ = try await waitForLine(second)
        #expect(programs.filter { kill($0, 0) == 0 }.isEmpty, "two programs at once")
        first.signal(SIGCONT)
        #expect(try await first.end().code == 75)
        second.signal(SIGTERM)
        _ = try await second.end()
        await server.shutDown()
    }

    @Test func whenLapseIsKilledEverythingBelowItEnds() async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(server, "one", run: Self.stubborn)
        let programs = try await waitForLine(child)[0].compactMap { Int32($0) }
        try #require(programs.count == 3)
        child.signal(SIGKILL)
        _ = try await child.end()
        try await waitForEnd(of: programs)
        await server.shutDown()
    }

    @Test func whatTheProgramLeavesBehindEndsWithIt() async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(server, "one", run: #"sleep 1000 & echo "$!"; exit 0"#)
        let orphan = try #require(Int32(try await waitForLine(child)[0][0]))
        #expect(try await child.end().code == 0)
        try await waitUntil("it has ended", within: .seconds(10)) { kill(orphan, 0) == 0 ? "it still runs" : nil }
        await server.shutDown()
    }

    /// Nothing says then that the program's children have ended.
    @Test func whenTheGuardIsKilledTheLeaseIsNotReleased() async throws {
        let server = try await ThrowawayServer.start()
        let child = try start(server, "one", run: #"echo "$PPID"; while :; do sleep 0.02; done"#)
        let guarding = try #require(Int32(try await waitForLine(child)[0][0]))
        kill(guarding, SIGKILL)
        let run = try await child.end()
        #expect(run.code == 70 && run.errors.contains("the guard was killed: ending"), "\(run.errors)")
        #expect(!run.errors.contains("leadership released"), "\(run.errors)")
        await server.shutDown()
    }

    @Test func withoutSetprivItWarns() async throws {
        let run = try await LapseBinary.run(
            ["elect", "--redis", "redis://127.0.0.1:1", "--startup-timeout", "1s", "--", "/bin/true"],
            environment: ["PATH": "/nonexistent"])
        #expect(run.errors.contains("elect: there is no setpriv (util-linux)"), "\(run)")
    }

    @Test func aStopBeforeLeadingIsNoFailure() async throws {
        let server = try await ThrowawayServer.start()
        let first = try start(server, "one", run: Self.patient)
        _ = try await waitForLine(first)
        let second = try start(server, "two", run: Self.patient)
        try await waitUntil("the second follows", within: .seconds(10)) {
            second.text.errors.contains("following") ? nil : second.text.errors
        }
        second.signal(SIGTERM)
        let run = try await second.end()
        #expect(run.code == 0 && run.output.isEmpty, "\(run)")
        first.signal(SIGTERM)
        _ = try await first.end()

        // No server is there: a stop ends the wait.
        let lonely = try LapseBinary.start(["elect", "--redis", "redis://127.0.0.1:1", "--", "true"])
        try await waitUntil("it waits", within: .seconds(10)) {
            lonely.text.errors.contains("waiting for Redis") ? nil : lonely.text.errors
        }
        lonely.signal(SIGTERM)
        #expect(try await lonely.end().code == 0)
        await server.shutDown()
    }

    @Test(arguments: [
        (["elect"], 64, "no program to run"),
        (["elect", "--", "no-such-command-anywhere"], 127, "no such command"),
        (["elect", "--store", "zookeeper://x", "--", "true"], 64, "--store: the value cannot be used: write redis"),
        (["elect", "--lease-ttl", "400ms", "--", "true"], 64, "--lease-ttl: a lease of 0.4 seconds is too short"),
        (["elect", "--lease-ttl", "400ms", "--", "true"], 64, "the least is 430 ms"),
        (
            ["elect", "--registers", "2", "--redis", "redis://127.0.0.1:1", "--", "true"], 64,
            "--registers: an odd number"
        ),
        (
            ["elect", "--store", "etcd://127.0.0.1:1/x", "--lock-servers", "redis://127.0.0.1:1", "--", "true"], 64,
            "--store: registers and lock servers belong to an election in Redis: leave out --lock-servers"
        ),
        (
            ["elect", "--store", "consul://127.0.0.1:1", "--registers", "3", "--", "true"], 64,
            "--store: registers and lock servers belong to an election in Redis: leave out --registers"
        ),
        (["elect", "--redis", "redis://127.0.0.1:1", "--startup-timeout", "1s", "--", "true"], 69, "127.0.0.1:1"),
    ])
    func whatCannotBeIsOneLine(_ arguments: [String], _ code: Int32, _ text: String) async throws {
        let run = try await LapseBinary.run(arguments)
        #expect(run.code == code, "\(run.errors)")
        #expect(run.lastLine.contains(text), "\(run.errors)")
        #expect(run.output.isEmpty)
    }
}
