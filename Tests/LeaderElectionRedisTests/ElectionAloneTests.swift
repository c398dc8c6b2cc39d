import LeaderElection
import LeaderElectionRedis
import Logging
import Synchronization
import Testing
import ThrowawayRedis

/// The election by itself, as a program uses it that has nothing to do with expirations.
@Suite(.timeLimit(.minutes(3)), .serialized) struct ElectionAloneTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func election(_ id: String) -> ElectionConfiguration {
        // Short: a server that has run for less than the lease gives no vote.
        ElectionConfiguration(name: "alone", id: id, leaseTTL: .seconds(1))
    }

    private func connect(_ configuration: RedisElectionConfiguration, _ id: String) async throws -> RedisElectionStore {
        try await RedisElectionStore.connect(configuration, election: election(id), logger: logger)
    }

    private func cluster() async throws -> ThrowawayCluster {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        return try await ThrowawayCluster.start(options)
    }

    @Test func oneLeadsAfterTheOther() async throws {
        let server = try await ThrowawayServer.start()
        let tokens = Mutex<[UInt64]>([])
        for id in ["one", "two"] {
            let store = try await connect(.init(redis: [server.url]), id)
            let elector = try Elector(store: store, configuration: election(id), logger: logger)
            try await elector.run { term in
                tokens.withLock { $0.append(term.token.rawValue) }
                elector.stop()
            }
            await store.shutDown()
        }
        let seen = tokens.withLock { $0 }
        #expect(seen.count == 2 && seen[0] < seen[1])
        await server.shutDown()
    }

    @Test func aReleaseIsHeardOnAnyNodeOfACluster() async throws {
        let cluster = try await cluster()
        let configuration = RedisElectionConfiguration(redis: cluster.nodes.map(\.url))
        let (speaker, listener) = (try await connect(configuration, "one"), try await connect(configuration, "two"))
        #expect(listener.registers.count == 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var wakeUps = listener.wakeUps().makeAsyncIterator()
            group.addTask { await listener.run() }
            // It did not hear what was said before it listened: it looks once.
            #expect(await wakeUps.next() == .released)
            for register in speaker.registers {
                let claim = Claim(name: "alone", id: "one", value: "one:\(register.label)", ttl: .seconds(1), rules: "")
                try await waitUntil("the server is old enough", within: .seconds(10)) {
                    guard case .granted = try await register.acquire(claim) else { return "it is not" }
                    return nil
                }
                try await register.release(claim, wake: true)
                #expect(await wakeUps.next() == .released)
            }
            group.cancelAll()
        }
        await speaker.shutDown()
        await listener.shutDown()
        await cluster.shutDown()
    }

    @Test func anotherNodeIsListenedToWhenOneIsSilent() async throws {
        let cluster = try await cluster()
        let listener = try await connect(.init(redis: cluster.nodes.map(\.url)), "two")
        try await withThrowingTaskGroup(of: Void.self) { group in
            var wakeUps = listener.wakeUps().makeAsyncIterator()
            group.addTask { await listener.run() }
            #expect(await wakeUps.next() == .released)
            var heardOn: ThrowawayServer?
            for node in cluster.nodes {
                let clients = try await node.cli("CLIENT", "LIST", "TYPE", "pubsub")
                if clients.contains("alone") { heardOn = node }
            }
            let node = try #require(heardOn)
            node.freeze()
            // The next subscription looks again.
            #expect(await wakeUps.next() == .released)
            node.resume()
            group.cancelAll()
        }
        await listener.shutDown()
        await cluster.shutDown()
    }

    /// One server of three is shared: the two others would be a majority.
    @Test func otherLockServersAreRefused() async throws {
        var servers: [ThrowawayServer] = []
        for _ in 0..<5 { servers.append(try await ThrowawayServer.start()) }
        func elector(_ id: String, _ names: ArraySlice<ThrowawayServer>) async throws -> (RedisElectionStore, Elector) {
            var configuration = RedisElectionConfiguration(redis: names.map(\.url))
            configuration.lockServers = names.map(\.url)
            let store = try await connect(configuration, id)
            return (store, try Elector(store: store, configuration: election(id), logger: logger))
        }
        let (store, first) = try await elector("one", servers[0...2])
        let (otherStore, second) = try await elector("two", servers[2...4])
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Each elector runs until it is stopped.
            group.addTask { try await first.run { await $0.drainRequested() } }
            try await waitUntil("the first leads by all three", within: .seconds(20)) {
                let locks = try await servers[2].cli("KEYS", "*:lock")
                return first.state.isLeader && !locks.isEmpty ? nil : "\(first.state) \(locks)"
            }
            group.addTask { try await second.run { await $0.drainRequested() } }
            try await waitUntil("the second is refused", within: .seconds(20)) {
                let refusal = second.state.refusal ?? ""
                return servers.allSatisfy { refusal.contains($0.address) } ? nil : "\(second.state)"
            }
            #expect(!second.state.isLeader)
            second.stop()
            first.stop()
            try await group.waitForAll()
        }
        await store.shutDown()
        await otherStore.shutDown()
        for server in servers { await server.shutDown() }
    }

    @Test func whatMakesNoSenseIsNamed() async throws {
        var configuration = RedisElectionConfiguration(redis: ["redis://127.0.0.1:1"])
        configuration.registers = 4
        await #expect(throws: ElectionError.configuration("registers", "an odd number up to 15")) {
            _ = try await connect(configuration, "one")
        }
        configuration.registers = nil
        configuration.lockServers = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]
        await #expect(
            throws: ElectionError.configuration("lockServers", "an odd number of servers can form a majority")
        ) { _ = try await connect(configuration, "one") }
        configuration.lockServers = []
        await #expect(throws: RegisterError.self) { _ = try await connect(configuration, "one") }
    }
}
