import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// How the command ends, by the command as built.
@Suite(.timeLimit(.minutes(2)), .serialized) struct ExitCodeTests {
    @Test(arguments: [
        (["run", "--leese-ttl", "3s"], "Unknown option '--leese-ttl'. Did you mean '--lease-ttl'?"),
        (["run", "--lease-ttl", "3x"], "--lease-ttl: '3x'"), (["run", "--lease-ttl"], "--lease-ttl"),
        (["run", "surplus"], "'surplus'"), (["nonsense"], "'nonsense'"),
        (["tail", "--concurrency", "3"], "--concurrency"),
        (["status", "--config", "/nowhere.yaml"], "--config: /nowhere.yaml"),
        (["run", "--log-age", "8s"], "--log-age: "), (["run", "--match", "a,,b"], "--match: "),
        (["run", "--lease-ttl", "1ms"], "--lease-ttl: "), (["run", "--registers", "2"], "--registers: "),
        (["run", "--tls-ca", "/nowhere.pem"], "--tls-ca"),
    ])
    func wrongUseIs64(arguments: [String], naming: String) async throws {
        let run = try await LapseBinary.run(arguments + (arguments[0] == "run" ? ["--log-level", "critical"] : []))
        #expect(run.code == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("lapse: ") && run.errors.contains(naming), "\(run.errors)")
        #expect(run.errors.utf8.count { $0 == 10 } == 1, "one line: \(run.errors)")
    }

    @Test(arguments: [[], ["--help"], ["--version"], ["run", "--help"], ["help", "tail"]])
    func askingForHelpIsNoMistake(arguments: [String]) async throws {
        let run = try await LapseBinary.run(arguments)
        #expect(run.code == 0)
        #expect(!run.output.isEmpty && run.errors.isEmpty)
    }

    @Test(arguments: ["run", "tail", "status"])
    func unreachableIs69(subcommand: String) async throws {
        let closed = try await ThrowawayServer.start()
        await closed.kill()
        let run = try await LapseBinary.run(
            [subcommand, "--redis", closed.url, "--startup-timeout", "300ms"]
                + (subcommand == "run" ? ["--admin", "off"] : []))
        #expect(run.code == 69)
        #expect(run.lastLine.contains("\(closed.port)"), "\(run.errors)")
        await closed.shutDown()
    }

    @Test(arguments: ["run", "tail", "status"])
    func aRefusedPasswordIs77(subcommand: String) async throws {
        var options = ServerOptions()
        options.password = "right"
        let server = try await ThrowawayServer.start(options)
        let file = try TemporaryFile("hunter2\n")
        let run = try await LapseBinary.run(
            [subcommand, "--redis", server.url, "--redis-password-file", file.path]
                + (subcommand == "run" ? ["--admin", "off"] : []))
        #expect(run.code == 77, "\(run.errors)")
        #expect(run.lastLine.hasPrefix("lapse: ") && !run.errors.contains("hunter2"), "\(run.errors)")
        await server.shutDown()
    }

    /// Logged in, but without the channels that Redis 7 gives to no new user.
    @Test func aRefusedSubscriptionIs77() async throws {
        var options = ServerOptions()
        options.users = ["user deaf on >secret ~* resetchannels +@all"]
        let server = try await ThrowawayServer.start(options)
        let run = try await LapseBinary.run(
            ["run", "--redis", "redis://deaf:secret@\(server.address)", "--admin", "off"])
        #expect(run.code == 77, "\(run.errors)")
        #expect(
            run.lastLine.hasPrefix("lapse: \(server.address): ") && run.lastLine.contains("lapse doctor --acl"),
            "\(run.errors)")
        #expect(!run.errors.contains("secret"))
        await server.shutDown()
    }

    /// The admin port, which is open by then, ends without a word of its framework.
    @Test func aRefusalIsTheLastWordBesideAnAdminPort() async throws {
        var options = ServerOptions()
        options.users = ["user deaf on >secret ~* resetchannels +@all"]
        let server = try await ThrowawayServer.start(options)
        let url = "redis://deaf:secret@\(server.address)"
        let run = try await LapseBinary.run(["run", "--redis", url, "--admin", "127.0.0.1:0"])
        #expect(run.code == 77 && run.lastLine.hasPrefix("lapse: \(server.address): "), "\(run.errors)")
        #expect(run.errors.contains("admin port open"), "\(run.errors)")
        #expect(!run.errors.contains("channel:") && !run.errors.contains("CancellationError"), "\(run.errors)")
        await server.shutDown()
    }

    @Test func aTakenAdminPortIsSaid() async throws {
        let server = try await ThrowawayServer.start()
        let run = try await LapseBinary.run(["run", "--redis", server.url, "--admin", server.address])
        #expect(run.code == 70)
        #expect(run.lastLine.contains("\(server.port) is already in use"), "\(run.errors)")
        await server.shutDown()
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalBeforeRedisIsReachedIs0(signal: Int32) async throws {
        let child = try LapseBinary.start(["run", "--redis", "redis://127.0.0.1:1", "--admin", "off"])
        try await waitUntil("it waits", within: .seconds(10)) {
            child.text.errors.contains("waiting for Redis") ? nil : child.text.errors
        }
        child.signal(signal)
        #expect(try await child.end().code == 0)
    }

    /// A program that will not end keeps lapse draining, so that the later signal finds it there.
    @Test func aLaterSignalEndsAtOnce() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            ["elect", "--redis", server.url, "--lease-ttl", "1s", "--drain", "1h", "--", "sh", "-c"]
                + ["trap 'echo asked' TERM; echo up; while :; do sleep 0.02; done"])
        try await waitUntil("the program is up", within: .seconds(15)) {
            child.lines.contains("up") ? nil : "\(child.text)"
        }
        child.signal(SIGTERM)
        // Those of the first second are the same request.
        try await waitUntil("a later one ends it", within: .seconds(15)) {
            child.signal(SIGINT)
            return child.isRunning ? "it runs" : nil
        }
        let run = try await child.end()
        #expect(run.code == 128 + SIGINT, "\(run)")
        #expect(run.errors.contains("second signal") && run.output.contains("asked"), "\(run)")
        await server.shutDown()
    }

    @Test(arguments: [[SIGTERM, SIGINT], [SIGINT, SIGINT, SIGTERM], [SIGHUP], [SIGHUP, SIGTERM]])
    func signalsOfOneSecondAreOneRequest(signals: [Int32]) async throws {
        let server = try await ThrowawayServer.start()
        // Under nohup the tests ignore it, and so would what they start.
        let inherited = Glibc.signal(SIGHUP, SIG_DFL)
        defer { _ = Glibc.signal(SIGHUP, inherited) }
        let child = try LapseBinary.start(
            ["elect", "--redis", server.url, "--lease-ttl", "1s", "--", "sh", "-c"]
                + ["trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.02; done"])
        try await waitUntil("the program is up", within: .seconds(15)) {
            child.lines.contains("up") ? nil : "\(child.text)"
        }
        for signal in signals { child.signal(signal) }
        let run = try await child.end()
        #expect(run.code == 3, "\(run)")
        #expect(run.output == "up\nasked\n")
        await server.shutDown()
    }
}
