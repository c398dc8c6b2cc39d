import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Looks at the topology fail while the feeds go on: nothing else shows it. Real processes on real
/// servers.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct FailingLooksTests {
    private static let line = "topology cannot be looked at"

    private func waitUntilSaid(_ text: String, by replica: ThrowawayReplica) async throws {
        try await waitUntil("\(replica.id) says: \(text)", within: .seconds(30)) {
            replica.log.contains(text) ? nil : "\(replica.log.suffix(2_000))"
        }
    }

    private func waitUntilReady(_ isReady: Bool, _ replica: ThrowawayReplica, saying text: String) async throws {
        try await waitUntil("readiness is \(isReady): \(text)", within: .seconds(30)) {
            guard let readiness = await replica.readiness else { return "no admin port" }
            return (readiness.status == 200) == isReady && readiness.text.contains(text) ? nil : "\(readiness)"
        }
    }

    /// How old its view is, by its own metric.
    private func age(_ replica: ThrowawayReplica) async throws -> Double {
        let lines = try #require(await replica.page("metrics")).text.split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("lapse_topology_age_seconds ") })
        return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }

    @Test("no Sentinel answers any more: said with the address, not ready; over when one is back")
    func noSentinel() async throws {
        let servers = try await ThrowawaySentinel.start()
        let urls = servers.sentinels.map { "redis+sentinel://\($0.address)/mymaster" }.joined(separator: ",")
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: urls, name: "looks", leaseTTL: .seconds(5), nodes: servers.servers.count)
        let leader = try await group.leader()
        try await waitUntilReady(true, leader, saying: "ok")
        for sentinel in servers.sentinels { await sentinel.kill() }
        try await waitUntilSaid(Self.line, by: leader)
        try await waitUntilReady(false, leader, saying: "the topology cannot be looked at: ")
        #expect(try await age(leader) >= 8)
        #expect(leader.count(of: Self.line) == 1, "once a minute: \(leader.log.suffix(2_000))")
        try await servers.sentinels[0].start()
        try await waitUntilSaid("topology is looked at again", by: leader)
        try await waitUntilReady(true, leader, saying: "ok")
        await group.shutDown()
        await servers.shutDown()
    }

    @Test("the user loses CLUSTER NODES: said with the server's own words, not ready; over when it has it again")
    func noRight() async throws {
        let cluster = try await ThrowawayCluster.start()
        for node in cluster.nodes { try await node.cli("ACL", "SETUSER", "lap", "on", ">pw", "~*", "&*", "+@all") }
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: "redis://lap:pw@\(cluster.nodes[0].address)", name: "looks",
            leaseTTL: .seconds(5), nodes: cluster.nodes.count)
        let leader = try await group.leader()
        try await waitUntilReady(true, leader, saying: "ok")
        for node in cluster.nodes { try await node.cli("ACL", "SETUSER", "lap", "-cluster|nodes") }
        try await waitUntilSaid(Self.line, by: leader)
        #expect(leader.log.contains("'cluster|nodes'"), "\(leader.log.suffix(2_000))")
        try await waitUntilReady(false, leader, saying: "'cluster|nodes'")
        #expect(try await age(leader) >= 8)
        for node in cluster.nodes { try await node.cli("ACL", "SETUSER", "lap", "+cluster|nodes") }
        try await waitUntilSaid("topology is looked at again", by: leader)
        try await waitUntilReady(true, leader, saying: "ok")
        await group.shutDown()
        await cluster.shutDown()
    }
}
