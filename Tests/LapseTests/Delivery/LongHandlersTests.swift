import Logging
import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// Handlers that take longer than the log's age, on a real server.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct LongHandlersTests {
    @Test("row 106: what a leader leaves pending that is older than the log's age, its follower still has")
    func pendingOlderThanTheLog() async throws {
        let server = try await ThrowawayServer.start()
        var configuration = ProcessorConfiguration(redis: [server.url], name: "long", id: "a", match: ["k:*"])
        configuration.leaseTTL = .seconds(1)
        configuration.logAge = .seconds(2)
        configuration.drain = .zero
        let logger = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
        let begun = Mutex(0)
        let handled = Mutex<[String]>([])
        let stuck = ExpirationProcessor(configuration: configuration, logger: logger) { _, _ in
            begun.withLock { $0 += 1 }
            try await Task.sleep(for: .seconds(3600))
        }
        configuration.id = "b"
        let follower = ExpirationProcessor(configuration: configuration, logger: logger) { expiration, _ in
            handled.withLock { $0.append("\(expiration.key)") }
        }
        let gaps = follower.gaps
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stuck.run() }
            try await waitUntil("it leads", within: .seconds(20)) { stuck.status?.isLeader == true ? nil : "not yet" }
            group.addTask { try await follower.run() }
            try await waitUntil("it follows", within: .seconds(20)) {
                follower.readiness().isEmpty && follower.status?.leader == "a" ? nil : "\(follower.readiness())"
            }
            try await server.script((0..<41).map { "SET k:\($0) v PX 20" })
            try await waitUntil("all are in hand", within: .seconds(20)) {
                begun.withLock { $0 } == 41 ? nil : "\(begun.withLock { $0 })"
            }
            let since = ContinuousClock.now
            try await waitUntil("they are older than the log's age", within: .seconds(20)) {
                ContinuousClock.now - since > .seconds(5) ? nil : "not yet"
            }
            #expect(follower.status?.nodes.first?.logEntries ?? 0 >= 41)
            stuck.stop()
            try await waitUntil("all are handled", within: .seconds(20)) {
                let keys = handled.withLock { Set($0) }
                return keys.count == 41 ? nil : "\(keys.count) are"
            }
            follower.stop()
            try await group.waitForAll()
        }
        var lost: UInt64 = 0
        for await gap in gaps { lost += gap.lost }
        #expect(lost == 0 && handled.withLock { $0.count } == 41)
        await server.shutDown()
    }
}
