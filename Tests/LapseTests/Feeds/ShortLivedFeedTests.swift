import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// A server or a proxy that takes a subscription and closes it.
@Suite(.timeLimit(.minutes(2)))
struct ShortLivedFeedTests {
    @Test("row 47: a feed that is closed right after it has subscribed is opened ever more rarely")
    func closedAtOnce() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        // The last of its channels.
        relay.end(behind: "\r\nlapse:short\r\n:")
        let opened = Mutex<[ContinuousClock.Instant]>([])
        relay.onRequests { _, bytes in
            if bytes.firstRange(of: "SUBSCRIBE".utf8) != nil { opened.withLock { $0.append(.now) } }
        }
        let configuration = ProcessorConfiguration(redis: [relay.url], name: "short", match: ["k:*"])
        let processor = ExpirationProcessor(configuration: configuration, logger: CapturedLog().logger) { _, _ in }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await processor.run() }
            try await waitUntil("it is opened for the eighth time", within: .seconds(60)) {
                let count = opened.withLock { $0.count }
                return count >= 8 ? nil : "\(count) times"
            }
            processor.stop()
            try await group.waitForAll()
        }
        let times = opened.withLock { $0 }
        // Between them lie 25, 50, 100, 200, 400, 500 and 500 ms at the least.
        #expect(times[7] - times[0] > .milliseconds(1_500))
        relay.shutDown()
        await server.shutDown()
    }
}
