import LeaderElection
import LeaderElectionRedis
import Logging
import Synchronization
import Testing
import ThrowawayRedis

/// What a follower hears of releases where the connection for them does not stand.
@Suite(.timeLimit(.minutes(2)))
struct ReleaseListenerTests {
    /// The messages from notice up.
    private final class Messages: Sendable {
        private let list = Mutex<[String]>([])

        var all: [String] { list.withLock { $0 } }
        var logger: Logger { Logger(label: "test") { _ in Handler(messages: self) } }

        private struct Handler: LogHandler {
            let messages: Messages
            var metadata: Logger.Metadata = [:]
            var logLevel = Logger.Level.notice

            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }

            func log(event: LogEvent) { messages.list.withLock { $0.append("\(event.message)") } }
        }
    }

    @Test(
        "row 47: a connection that is closed right after it has subscribed is opened ever more rarely, and it is said once"
    )
    func closedAtOnce() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        relay.end(behind: "subscribe")
        let opened = Mutex<[ContinuousClock.Instant]>([])
        relay.onRequests { _, bytes in
            if bytes.firstRange(of: "SUBSCRIBE".utf8) != nil { opened.withLock { $0.append(.now) } }
        }
        let messages = Messages()
        let election = ElectionConfiguration(name: "short", id: "one", leaseTTL: .seconds(1))
        let store = try await RedisElectionStore.connect(
            .init(redis: [relay.url]), election: election, logger: messages.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await store.run() }
            try await waitUntil("it is opened for the eighth time", within: .seconds(60)) {
                let count = opened.withLock { $0.count }
                return count >= 8 ? nil : "\(count) times"
            }
            group.cancelAll()
        }
        let times = opened.withLock { $0 }
        // Between them lie 25, 50, 100, 200, 400, 500 and 500 ms at the least.
        #expect(times[7] - times[0] > .milliseconds(1_500))
        #expect(messages.all.filter { $0 == "releases are not heard" }.count == 1)
        await store.shutDown()
        relay.shutDown()
        await server.shutDown()
    }
}
