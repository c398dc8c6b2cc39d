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

    private final class Count: Sendable {
        private let number = Mutex(0)

        var all: Int { number.withLock { $0 } }

        func add() { number.withLock { $0 += 1 } }
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

    @Test("a node that has left the cluster keeps its subscribers: releases are heard on another")
    func aNodeThatHasLeft() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        let cluster = try await ThrowawayCluster.start(options)
        let election = ElectionConfiguration(name: "left", id: "one", leaseTTL: .seconds(1))
        let store = try await RedisElectionStore.connect(
            .init(redis: cluster.nodes.map(\.url)), election: election, logger: Messages().logger)
        let wakeUps = store.wakeUps()
        let released = Count()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await store.run() }
            group.addTask { for await case .released in wakeUps { released.add() } }
            let left = try await listened(of: cluster.nodes)
            let others = cluster.nodes.filter { $0 !== left }
            let id = try await left.cli("CLUSTER", "MYID")
            let slots = try await cluster.slots(of: left).flatMap(Array.init)
            try await waitUntil("it is reset", within: .seconds(10)) {
                try await left.script(["FLUSHALL", "CLUSTER RESET HARD"])
                return nil
            }
            for other in others { try await other.cli("CLUSTER", "FORGET", id) }
            try await others[0].script(["CLUSTER ADDSLOTS " + slots.map(String.init).joined(separator: " ")])
            let next = try await listened(of: others)
            let before = released.all
            try await next.cli("PUBLISH", "lapse:left", "released")
            try await waitUntil("it is heard", within: .seconds(10)) {
                released.all > before ? nil : "not yet"
            }
            group.cancelAll()
        }
        await store.shutDown()
        await cluster.shutDown()
    }

    /// The one of these nodes on which releases are listened for.
    private func listened(of nodes: [ThrowawayServer]) async throws -> ThrowawayServer {
        var found: ThrowawayServer?
        try await waitUntil("one is listened to", within: .seconds(30)) {
            for node in nodes {
                let subscribers = try await node.cli("PUBSUB", "NUMSUB", "lapse:left")
                if subscribers.hasSuffix("\n1") { found = node }
            }
            return found == nil ? "none is" : nil
        }
        return try #require(found)
    }
}
