import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Bursts that take longer to come through than a ping may take: the pong waits behind them in the
/// output buffer.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct BurstTests {
    /// 8 MB at 1.5 MB/s: the pong comes after about five seconds.
    private static let count = 2_000
    private static let bytesPerSecond = 1_500_000

    /// All expire within the same moment.
    private func burst(on node: ThrowawayServer, tag: String, ttl: Int) async throws -> Set<String> {
        let padding = String(repeating: "x", count: 4_000)
        let keys = (0..<Self.count).map { "\(tag)\($0):\(padding)" }
        let deadline = Int(Date().timeIntervalSince1970 * 1000) + ttl
        try await node.script(keys.map { "SET \($0) 1 PXAT \(deadline)" })
        return Set(keys)
    }

    private func waitUntilHandled(_ keys: Set<String>, by group: ReplicaGroup) async throws {
        try await waitUntil(
            "\(keys.count) keys are handled", within: .seconds(60), every: .milliseconds(100)
        ) {
            let missing = keys.subtracting(group.handledKeys)
            return missing.isEmpty
                ? nil : "\(missing.count) are missing; \(group.replicas[0].log.suffix(1500))"
        }
    }

    @Test(
        "row 53: a feed that delivers for longer than a ping may take is not closed, and loses nothing")
    func slowLink() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: relay.url, name: "burst", leaseTTL: .seconds(5), nodes: 1)
        let leader = try await group.leader()
        relay.pass(bytesPerSecond: Self.bytesPerSecond)
        let keys = try await burst(on: server, tag: "", ttl: 1_500)
        try await waitUntilHandled(keys, by: group)
        #expect(leader.count(of: " subscribed") == 1)
        #expect(leader.count(of: "subscription lost") == 0)
        #expect(leader.count(of: "subscription silent") == 0)
        #expect(group.handled.count == Self.count)
        await group.shutDown()
        relay.shutDown()
        await server.shutDown()
    }

    @Test(
        "row 53: a feed that brings nothing while its node answers elsewhere is closed, and opened anew"
    )
    func deadFeed() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: relay.url, name: "dead", leaseTTL: .seconds(5), nodes: 1)
        let leader = try await group.leader()
        relay.holdFeeds()
        try await waitUntil("the feed is closed", within: .seconds(30)) {
            leader.count(of: "no answer to a ping") == 1 ? nil : "not yet"
        }
        try await waitUntil("it is opened anew", within: .seconds(30)) {
            leader.count(of: " subscribed") == 2 ? nil : "not yet"
        }
        try await server.cli("SET", "after", "1", "PX", "200")
        try await waitUntilHandled(["after"], by: group)
        #expect(leader.count(of: "subscription silent") == 1)
        await group.shutDown()
        relay.shutDown()
        await server.shutDown()
    }

    @Test(
        "row 108: a graceful failover while a burst is under way: what the old master announced before counts"
    )
    func failoverInABurst() async throws {
        let cluster = try await ThrowawayCluster.start()
        let master = try await cluster.masters()[0]
        let replica = try await cluster.replicas(of: master)[0]
        let relay = try Relay(to: master)
        let other = try await cluster.masters()[1]
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: other.url, name: "burst", leaseTTL: .seconds(5),
            nodes: cluster.nodes.count, extra: ["--address-map", "\(master.address)=\(relay.address)"])
        let leader = try await group.leader()
        let tag = try await tag(ownedBy: master, in: cluster)
        relay.pass(bytesPerSecond: Self.bytesPerSecond)
        let keys = try await burst(on: master, tag: tag, ttl: 1_500)
        try await waitUntil("all have expired", within: .seconds(20)) {
            let expired = try await master.info("expired_keys").flatMap { Int($0) } ?? 0
            return expired >= Self.count ? nil : "\(expired) have"
        }
        try await cluster.failover(replica)
        try await cluster.waitUntilRole(master, .replica)
        #expect(group.handledKeys.count < Self.count, "the burst was over before the failover")
        try await waitUntilHandled(keys, by: group)
        #expect(leader.sum(of: "lost", in: "gap") == 0)
        #expect(group.handled.count == Self.count)
        await group.shutDown()
        relay.shutDown()
        await cluster.shutDown()
    }

    private func tag(ownedBy node: ThrowawayServer, in cluster: ThrowawayCluster) async throws
        -> String
    {
        let slots = try await cluster.slots(of: node)
        let number = (0..<10_000).first { number in
            slots.contains { $0.contains(KeySlot.of("{\(number)}")) }
        }
        return "{\(try #require(number))}"
    }
}
