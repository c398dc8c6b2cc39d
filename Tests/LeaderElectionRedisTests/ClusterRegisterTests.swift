import LeaderElection
import LeaderElectionRedis
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Testing
import ThrowawayRedis

extension RegisterTests {
    private static func withCluster(
        _ body: (ThrowawayCluster, KeyedClient, RedisLeaseStore) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        let cluster = try await ThrowawayCluster.start(options)
        let loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
        let nodes = NodeDirectory(settings: ConnectionSettings(clientName: "lapse:test:one:lock"), on: loops)
        let watch = TopologyWatch(
            seeds: RedisSeeds(addresses: cluster.nodes.map { NodeAddress(host: $0.host, port: $0.port) }), nodes: nodes,
            sentinels: nodes, interval: .milliseconds(100), on: loops.next(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let running = Task { await watch.run() }
        do {
            try await watch.discover()
            let client = KeyedClient(nodes: nodes, watch: watch, on: loops.next())
            try await body(
                cluster, client, RedisLeaseStore(name: "test", count: 3, client: client, timeout: .seconds(5)))
        } catch {
            running.cancel()
            await nodes.shutDown()
            await cluster.shutDown()
            throw error
        }
        running.cancel()
        await running.value
        await nodes.shutDown()
        await cluster.shutDown()
    }

    /// What a campaign does: votes, the largest counter, and its confirmation by the same registers.
    private static func campaign(_ registers: [any LeaseRegister], _ claim: Claim, term: UInt64) async throws -> UInt64
    {
        var token: UInt64 = 0
        for register in registers { token = max(token, try await take(register, claim).counter) }
        for register in registers {
            let isHeld = try await register.confirm(claim, token: FencingToken(rawValue: token), term: term)
            #expect(isHeld)
        }
        return token
    }

    /// Counters of 5, 9 and 1: without the second phase the majority of 1 and 3 would give 7 after 10.
    @Test func tokensGrowThoughMajoritiesDiffer() async throws {
        try await Self.withCluster { _, client, store in
            let base: UInt64 = 4_000_000_000_000_000
            for (keys, counter) in zip(store.keys, [5, 9, 1] as [UInt64]) {
                _ = try await client.send(["SET", keys.token, "\(base + counter)"], key: keys.token)
            }
            let registers = store.registers
            let first = Self.claim("a")
            let one = try await Self.campaign([registers[0], registers[1]], first, term: 1)
            #expect(one == base + 10)
            for register in registers { try await register.release(first, wake: false) }
            let second = Self.claim("b")
            let two = try await Self.campaign([registers[0], registers[2]], second, term: 2)
            #expect(two > one)
            for register in registers { try await register.release(second, wake: false) }
            let three = try await Self.campaign([registers[2], registers[1]], Self.claim("c"), term: 3)
            #expect(three > two)
        }
    }

    @Test func aRegisterGoesOnWhileItsSlotMoves() async throws {
        try await Self.withCluster { cluster, client, store in
            #expect(store.failureDomains == 3)
            #expect(store.naming.split(separator: ",").count == 3)
            let mine = Self.claim("a")
            let register = store.registers[0]
            let token = FencingToken(rawValue: try await Self.take(register, mine).counter)
            let before = register.label
            #expect(before.hasSuffix("/\(store.keys[0].lock)"))

            let slot = KeySlot.of(store.keys[0].lock)
            let source = try await cluster.node(owningSlot: slot)
            let target = try await cluster.node(owningSlot: KeySlot.of(store.keys[1].lock))
            try await cluster.moveSlots(slot...slot, from: source, to: target)
            let renewed = try await register.renew(mine, token: token, term: 1, heal: false)
            #expect(renewed == .renewed)
            try await waitUntil("the move is seen", within: .seconds(10)) {
                store.failureDomains == 2 ? nil : "\(String(describing: store.failureDomains)) domains"
            }
            #expect(register.label != before, "two registers sit on one master now")
            let seen = try await register.observe("test")
            #expect(seen.holder == mine.value)
            #expect(seen.token == token)
            try await register.release(mine, wake: true)
            let next = try await Self.take(register, Self.claim("b"))
            #expect(next.counter > token.rawValue)
        }
    }
}
