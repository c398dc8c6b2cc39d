import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Faults of the feeds, done to one or two real processes.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct FeedFaultTests {
    private func cluster() async throws -> ThrowawayCluster {
        var options = ClusterOptions()
        options.nodeTimeout = .seconds(2)
        return try await ThrowawayCluster.start(options)
    }

    private func group(
        _ count: Int, _ cluster: ThrowawayCluster, nodes: Int? = nil, extra: [String] = []
    ) async throws -> ReplicaGroup {
        try await ReplicaGroup.start(
            count, binary: Binary.lapse, redis: cluster.liveNodes[0].url, name: "feeds", leaseTTL: .seconds(2),
            nodes: nodes ?? cluster.nodes.count, extra: extra)
    }

    private func waitUntilHandled(_ keys: some Collection<String>, by group: ReplicaGroup) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(30)) {
            let handled = Set(group.handled.map(\.key))
            let missing = keys.filter { !handled.contains($0) }
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
    }

    @Test("row 39: a node that stops announcing is named with the command that mends it; --notifications set mends it")
    func notifications() async throws {
        let cluster = try await cluster()
        let verifying = try await group(1, cluster)
        let node = cluster.nodes[1]
        _ = try await node.cli("CONFIG", "SET", "notify-keyspace-events", "")
        try await waitUntil("the node is named", within: .seconds(20)) {
            verifying.replicas[0].log.split(separator: "\n").contains {
                $0.contains("notifications missing") && $0.contains(node.address)
                    && $0.contains("CONFIG SET notify-keyspace-events")
            } ? nil : "not yet"
        }
        #expect(try await node.cli("CONFIG", "GET", "notify-keyspace-events").contains("xE") == false)
        await verifying.shutDown()

        let setting = try await group(1, cluster, extra: ["--notifications", "set"])
        try await waitUntil("the flags are back", within: .seconds(20)) {
            try await node.cli("CONFIG", "GET", "notify-keyspace-events").contains("xE") ? nil : "still empty"
        }
        await setting.shutDown()
        await cluster.shutDown()
    }

    @Test("row 38: a node that is frozen, without a reset, is noticed by a ping, and heard again when it wakes")
    func halfOpen() async throws {
        let cluster = try await cluster()
        let group = try await group(1, cluster)
        let replica = group.replicas[0]
        let frozen = try await cluster.replicas(of: cluster.masters()[0])[0]
        cluster.freeze(frozen)
        try await waitUntil("the silence is noticed", within: .seconds(20)) {
            replica.count(of: "subscription silent") > 0 ? nil : "not yet"
        }
        cluster.resume(frozen)
        try await waitUntil("the answer is noticed", within: .seconds(20)) {
            replica.count(of: "subscription answers again") > 0 || replica.count(of: "subscribed") > cluster.nodes.count
                ? nil : "not yet"
        }
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 49; the article gave such a node up for ever: down at the start, it comes back and is promoted")
    func lateReplica() async throws {
        let cluster = try await cluster()
        let master = try await cluster.masters()[0]
        let late = try await cluster.replicas(of: master)[0]
        await cluster.kill(late)
        let group = try await group(1, cluster, nodes: cluster.nodes.count - 1)
        _ = try await group.leader()
        try await cluster.restart(late)
        try await waitUntil("the late one is listened to", within: .seconds(30)) {
            group.replicas[0].log.split(separator: "\n").contains {
                $0.contains(" subscribed") && $0.contains(late.address)
            } ? nil : "not yet"
        }
        try await cluster.waitUntilHealthy(within: .seconds(30))
        try await cluster.failover(late)
        try await cluster.waitUntilRole(late, .master, within: .seconds(30))
        let traffic = ArmedKeys(cluster: cluster)
        let account = try await traffic.run(rate: 100, ttl: .seconds(1)...(.seconds(1)), duration: .seconds(3))
        try await waitUntilHandled(account.acknowledged.keys, by: group)
        #expect(group.handled.contains { $0.node == late.address })
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 17; Lapse's own keys expire too: a lock deleted by hand costs the term, and the next token is larger")
    func lockDeleted() async throws {
        let cluster = try await cluster()
        let group = try await group(2, cluster)
        let first = try await group.leader()
        try await arm(cluster, "before")
        try await waitUntilHandled(["before"], by: group)
        let token = try #require(group.handled.last?.token)
        for master in try await cluster.masters() { _ = try await master.cli("FLUSHALL") }
        try await waitUntil("another term begins", within: .seconds(30)) {
            group.replicas.reduce(0) { $0 + $1.count(of: "became leader") } >= 2 ? nil : "not yet"
        }
        #expect(first.count(of: "leadership lost") == 1)
        try await arm(cluster, "after")
        try await waitUntilHandled(["after"], by: group)
        #expect(try #require(group.handled.last { $0.key == "after" }).token > token)
        #expect(!group.handled.contains { $0.key.hasPrefix("{lapse-") })
        await group.shutDown()
        await cluster.shutDown()
    }

    /// Sets one key that expires soon.
    private func arm(_ cluster: ThrowawayCluster, _ key: String) async throws {
        let owner = try await cluster.node(owningSlot: KeySlot.of(key))
        _ = try await owner.cli("SET", key, "1", "PX", "300")
    }
}
