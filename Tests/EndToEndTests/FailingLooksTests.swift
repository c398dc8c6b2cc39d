import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Looks at the topology fail while the feeds go on: nothing else shows it. Real processes on real
/// servers.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct FailingLooksTests {
    private static let line = "topology cannot be looked at"

    /// How old its view is, by its own metric.
    private func age(_ replica: ThrowawayReplica) async throws -> Double {
        let lines = try await replica.page("metrics").split(separator: "\n")
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

    // MARK: - Silences without Sentinels

    /// One leader, whose lease is elsewhere so that it outlives what happens to the servers.
    private func leader(
        _ sentinels: [ThrowawayServer], _ servers: ThrowawaySentinel, _ lock: ThrowawayServer
    ) async throws -> (ReplicaGroup, ThrowawayReplica) {
        let urls = sentinels.map { "redis+sentinel://\($0.address)/mymaster" }.joined(separator: ",")
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: urls, name: "looks", leaseTTL: .seconds(5), nodes: servers.servers.count,
            extra: ["--lock-servers", lock.url])
        return (group, try await group.leader())
    }

    private func waitUntilHandled(_ keys: [String], by group: ReplicaGroup) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(45)) {
            let missing = Set(keys).subtracting(group.handledKeys)
            return missing.isEmpty ? nil : "\(missing.count) are missing; \(group.replicas[0].log.suffix(1_500))"
        }
    }

    /// Frozen for so long that the leader knows of it.
    private func freeze(
        _ master: ThrowawayServer, until isDone: () async throws -> Void = {}, _ leader: ThrowawayReplica
    )
        async throws
    {
        master.freeze()
        try await waitUntil("the silence is known", within: .seconds(20)) {
            let lines = leader.log.split(separator: "\n")
            return lines.contains { $0.contains("subscription silent") && $0.contains(master.address) }
                ? nil : "not yet"
        }
        try await isDone()
        master.resume()
    }

    @Test("without Sentinels a pause of the master holds nothing up: the servers' own words settle it")
    func aPauseWithoutSentinels() async throws {
        let (servers, lock) = (try await ThrowawaySentinel.start(), try await ThrowawayServer.start())
        let (group, leader) = try await leader(servers.sentinels, servers, lock)
        let master = try await servers.master()
        for sentinel in servers.sentinels { await sentinel.kill() }
        let keys = (0..<200).map { "k:\($0)" }
        try await master.script(keys.enumerated().map { "SET \($1) 1 PX \(500 + $0 * 60)" })
        try await freeze(master, leader)
        try await waitUntilHandled(keys, by: group)
        #expect(group.reported.lost == 0)
        #expect(group.handled.count == keys.count)
        #expect(leader.count(of: "became leader") == 1)
        await group.shutDown()
        await servers.shutDown()
        await lock.shutDown()
    }

    /// Sentinels that only the servers reach: the test carries out what they would.
    @Test("two servers call themselves master and no Sentinel answers: it waits, says so, and goes on when they agree")
    func twoMastersWithoutSentinels() async throws {
        let (servers, lock) = (try await ThrowawaySentinel.start(), try await ThrowawayServer.start())
        let (group, leader) = try await leader(servers.sentinels, servers, lock)
        let master = try await servers.master()
        let heir = try #require(servers.servers.first { $0 !== master })
        for sentinel in servers.sentinels { await sentinel.kill() }
        let keys = (0..<50).map { "k:\($0)" }
        // They fall due while the master is frozen, and both announce them.
        try await master.script(keys.map { "SET \($0) 1 PX 3000" })
        try await waitUntil("the replica has all", within: .seconds(10)) {
            try await heir.cli("EXISTS", keys[49]) == "1" ? nil : "not yet"
        }
        try await freeze(master, until: { try await heir.cli("REPLICAOF", "NO", "ONE") }, leader)
        try await waitUntilSaid("expirations wait for proof that their node is the master", by: leader)
        try await waitUntilReady(false, leader, saying: "expirations wait for proof that it is the master")
        #expect(
            leader.log.contains("\(servers.servers[0].address) and \(servers.servers[1].address)")
                || leader.log.contains("\(servers.servers[1].address) and \(servers.servers[0].address)"))
        #expect(group.handledKeys.isEmpty)
        #expect(leader.count(of: "expirations wait for long") == 0)
        try await master.cli("REPLICAOF", heir.host, "\(heir.port)")
        try await waitUntilHandled(keys, by: group)
        try await waitUntilSaid("expirations wait for no proof any more", by: leader)
        #expect(group.reported.lost == 0)
        #expect(group.handled.count == keys.count, "the former master's are repetitions")
        await group.shutDown()
        await servers.shutDown()
        await lock.shutDown()
    }

    @Test("the one Sentinel that is listed dies: the others, which it named, tell of the failover")
    func theListedSentinelDies() async throws {
        let (servers, lock) = (try await ThrowawaySentinel.start(), try await ThrowawayServer.start())
        let (group, leader) = try await leader([servers.sentinels[0]], servers, lock)
        let master = try await servers.master()
        await servers.sentinels[0].kill()
        await master.kill()
        let heir = try await servers.waitForPromotion(after: master, within: .seconds(40))
        try await heir.script(["SET after 1 PX 100"])
        try await waitUntilHandled(["after"], by: group)
        #expect(leader.count(of: Self.line) == 0)
        await group.shutDown()
        await servers.shutDown()
        await lock.shutDown()
    }
}
