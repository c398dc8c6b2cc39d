import Testing
import ThrowawayRedis

@testable import Lapse

/// A proxy that takes marks, and leads them elsewhere than to the subscriptions.
@Suite(.timeLimit(.minutes(2)))
struct UnansweredMarksTests {
    @Test("marks that the feed does not bring are said, and keep the replica from being ready until one comes")
    func unanswered() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        relay.replace("mark:", with: "kram:")
        let log = CapturedLog()
        let configuration = ProcessorConfiguration(redis: [relay.url], name: "unanswered", match: ["k:*"])
        let processor = ExpirationProcessor(configuration: configuration, logger: log.logger) { _, _ in }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await processor.run() }
            try await waitUntil("it is said", within: .seconds(60)) {
                let reasons = processor.readiness()
                let isSaid = reasons.contains { $0.contains("cannot be numbered") && $0.contains("do not come back") }
                return isSaid && log.lines("mark failed").count == 1 ? nil : "\(reasons)"
            }
            relay.replace("kram:", with: "mark:")
            try await waitUntil("a mark has come back", within: .seconds(60)) {
                let reasons = processor.readiness()
                return reasons.contains { $0.contains("cannot be numbered") } ? "\(reasons)" : nil
            }
            processor.stop()
            try await group.waitForAll()
        }
        relay.shutDown()
        await server.shutDown()
    }
}
