import RedisClient
import Testing
import ThrowawayRedis
import Timing

@testable import Lapse

/// A handler that does not end when it is cancelled.
@Suite(.timeLimit(.minutes(1))) struct StubbornHandlerTests {
    /// While it runs, nothing else tells that the worker stands still.
    @Test func aWorkerThatStandsStillSaysSo() async throws {
        let server = try await ThrowawayServer.start()
        _ = try await server.cli(
            "XADD", "exp", "*", "id", "run-1", "key", "k:1", "database", "0", "node", "n:1", "runId", "run", "ordinal",
            "1", "origin", "live", "term", "1", "token", "5")
        let released = Gate()
        var configuration = WorkerConfiguration(stream: "exp", group: "g", redis: [server.url], id: "stubborn")
        configuration.claimAfter = .seconds(1)
        configuration.handlerTimeout = .milliseconds(50)
        configuration.concurrency = 1
        let log = CapturedLog()
        let worker = ExpirationWorker(configuration: configuration, logger: log.logger) { _, _ in
            // Of no task that could be cancelled.
            await Task { await released.wait() }.value
        }
        try await withThrowingTaskGroup { group in
            // Runs until it is told to stop.
            group.addTask { try await worker.run() }
            try await waitUntil("it says that it stands still", within: .seconds(30)) {
                let reasons = worker.readiness()
                return reasons == ["handlers: 1 of 1 do not end though they were cancelled"] ? nil : "\(reasons)"
            }
            try await waitUntil("the log says so, too", within: .seconds(30)) {
                let told = log.lines("handlers do not end though they were cancelled")
                return told.contains { $0.contains("count=1 fix=") } ? nil : "\(log.lines)"
            }
            released.open()
            try await waitUntil("it is well again", within: .seconds(30)) {
                worker.readiness().isEmpty && !log.lines("handlers end again").isEmpty ? nil : "\(log.lines)"
            }
            worker.stop()
            try await group.waitForAll()
        }
        await server.shutDown()
    }

    @Test("trouble of the stream and trouble of the handlers have an all-clear each, and each is told when it is back")
    func eachTroubleHasItsEnd() async throws {
        let log = CapturedLog()
        // Nothing is asked there.
        let configuration = WorkerConfiguration(stream: "exp", group: "g", redis: ["redis://127.0.0.1:1"], id: "w")
        let worker = try RunningWorker(
            configuration, handler: { _, _ in }, stopped: Gate(), logger: log.logger)
        for times in 1...2 {
            worker.doNotEnd(2, of: 4)
            worker.doNotEnd(1, of: 4)
            #expect(log.lines("handlers do not end though they were cancelled").count == times)
            worker.failed("read", "exp", RedisError(.timeout, node: nil, "no answer"))
            #expect(log.lines("the stream cannot be worked on").count == times)
            worker.worked("read", "exp")
            #expect(log.lines("the stream answers again").count == times, "though the handlers still do not end")
            #expect(log.lines("handlers end again").count == times - 1)
            worker.doNotEnd(0, of: 4)
            worker.doNotEnd(0, of: 4)
            #expect(log.lines("handlers end again").count == times)
        }
        await worker.shutDown()
    }

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
