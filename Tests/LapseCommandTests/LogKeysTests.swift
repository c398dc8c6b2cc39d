import Foundation
import Lapse
import Testing
import ThrowawayRedis

@testable import LapseCommand

/// `--log-keys` hides keys in every command that logs them.
@Suite(.timeLimit(.minutes(2)), .serialized) struct LogKeysTests {
    @Test(arguments: [("full", KeyDisclosure.full), ("hash", .hash), ("off", .off)])
    func theWorkerIsTold(given: String, disclosure: KeyDisclosure) async throws {
        let values = try await OptionValues(
            given: ["stream": ["s"], "group": ["g"], "handler": ["none"], "log-keys": [given]], environment: [:])
        let (configuration, handler) = try WorkCommand.worker(values, environment: [:])
        await handler.shutDown()
        #expect(configuration.logKeys == disclosure)
    }

    @Test(arguments: [["--handler", "log"], ["--exec", "false", "--retries", "0"]])
    func aWorkerHidesThem(handler: [String]) async throws {
        let server = try await ThrowawayServer.start()
        _ = try await server.cli(
            "XADD", "exp", "*", "id", "run-1", "key", "hidden:1", "database", "0", "node", "n:1", "runId", "run",
            "ordinal", "1", "origin", "live", "term", "1", "token", "5")
        let child = try LapseBinary.start(
            [
                "work", "--redis", server.url, "--stream", "exp", "--group", "g", "--dead-letter", "dead",
                "--log-level", "debug", "--log-keys", "off",
            ] + handler)
        try await waitUntil("nothing is pending, and it is logged", within: .seconds(15)) {
            guard child.text.errors.contains("key=- ") else { return child.text.errors }
            let pending = try await server.cli("XPENDING", "exp", "g")
            return pending.hasPrefix("0") ? nil : pending
        }
        child.signal(SIGTERM)
        let run = try await child.end()
        #expect(run.code == 0 && !run.errors.contains("hidden"), "\(run.errors)")
        await server.shutDown()
    }

    @Test func aRetryHidesThem() async throws {
        let server = try await ThrowawayServer.start()
        for id in ["1000-0", "2000-0"] {
            _ = try await server.cli(
                "XADD", "dead", id, "key", "hidden:1", "database", "0", "node", "n:1", "runId", "run", "ordinal", "7",
                "origin", "live", "attempts", "6", "error", "e", "term", "3", "token", "9", "formatVersion", "1")
        }
        let common = ["--redis", server.url, "--dead-letter", "dead", "--log-level", "debug", "--log-keys", "off"]
        let failed = try await LapseBinary.run(["dead-letters", "retry", "--exec", "false", "1000-0"] + common)
        #expect(failed.code == 1 && !failed.errors.contains("hidden"), "\(failed)")
        let logged = try await LapseBinary.run(
            ["dead-letters", "retry", "--handler", "log", "--all-matching"] + common)
        #expect(logged.code == 0 && logged.errors.contains("key=- "), "\(logged)")
        #expect(!logged.errors.contains("hidden"), "\(logged)")
        await server.shutDown()
    }
}
