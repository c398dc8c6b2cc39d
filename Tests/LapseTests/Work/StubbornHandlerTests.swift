import Lapse
import Testing
import ThrowawayRedis
import Timing

/// A handler that does not end when it is cancelled.
@Suite(.timeLimit(.minutes(1))) struct StubbornHandlerTests {
    /// Its worker cannot end, but others handle what it has: the time after which they claim is far longer
    /// than this test.
    @Test func othersHandleWhatItHas() async throws {
        let server = try await ThrowawayServer.start()
        _ = try await server.cli(
            "XADD", "exp", "*", "id", "run-1", "key", "k:1", "database", "0", "node", "n:1", "runId", "run", "ordinal",
            "1", "origin", "live", "term", "1", "token", "5")
        let taken = Gate()
        let handled = Gate()
        var configuration = WorkerConfiguration(stream: "exp", group: "g", redis: [server.url], id: "stubborn")
        configuration.claimAfter = .seconds(3600)
        configuration.drain = .milliseconds(100)
        let stubborn = ExpirationWorker(configuration: configuration) { _, _ in
            taken.open()
            // Of no task that could be cancelled.
            await Task { await handled.wait() }.value
        }
        configuration.id = "other"
        let other = ExpirationWorker(configuration: configuration) { _, context in
            #expect(context.attempt == 2)
            handled.open()
        }
        try await withThrowingTaskGroup { group in
            // Both run until they are told to stop.
            group.addTask { try await stubborn.run() }
            await taken.wait()
            stubborn.stop()
            group.addTask { try await other.run() }
            await handled.wait()
            other.stop()
            try await group.waitForAll()
        }
        #expect(try await server.cli("XPENDING", "exp", "g").hasPrefix("0"))
        await server.shutDown()
    }
}
