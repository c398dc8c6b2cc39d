import Chaos
import Testing
import ThrowawayRedis

/// Alerts fired by real outages: real servers, real replicas, a real Prometheus with the rules of
/// `deploy/`.
@Suite(
    .serialized, .timeLimit(.minutes(4)), .enabled(if: RunningPrometheus.isInstalled, "there is no prometheus"))
struct AlertOutageTests {
    private func waitUntilHandled(_ count: Int, _ prefix: String, by group: ReplicaGroup) async throws {
        try await waitUntil("\(count) are handled", within: .seconds(60)) {
            let handled = group.handledKeys.count { $0.hasPrefix(prefix) }
            return handled >= count ? nil : "\(handled); \(group.replicas[0].log.suffix(1_500))"
        }
    }

    private func waitUntilShown(_ line: String, by replica: ThrowawayReplica) async throws {
        try await waitUntil("\(replica.id) shows \(line)", within: .seconds(30)) {
            try await replica.page("metrics").contains("\n\(line)\n") ? nil : "\(replica.log.suffix(1_000))"
        }
    }

    @Test("LapseLag: a master that stood still past the deadlines is late though it is asked on time")
    func lag() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        // It is no member's turn to be replaced, and the leader outlives it by the other two registers.
        options.nodeTimeout = .seconds(60)
        options.server.notifications = "Exg"
        let cluster = try await ThrowawayCluster.start(options)
        let server = try await cluster.masters()[0]
        let slots = try await cluster.slots(of: server)
        let tag = try #require((0..<1_000).first { tag in slots.contains { $0.contains(KeySlot.of("{\(tag)}")) } })
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: cluster.urls, name: "late", leaseTTL: .seconds(5), nodes: 3,
            extra: ["--match", "k:*", "--punctual", "track"])
        let leader = try await group.leader()
        try await waitUntilReady(true, leader, saying: "ok")
        let prometheus = try await RunningPrometheus.start(scraping: group.replicas)
        // Those that are on time fire nothing.
        try await server.script((0..<20).map { "SET k:now:{\(tag)}\($0) v PX 500" })
        try await waitUntilHandled(20, "k:now", by: group)
        try await prometheus.waitUntilNoneFires()

        try await server.script((0..<200).map { "SET k:late:{\(tag)}\($0) v PX 8000" })
        try await waitUntilShown("lapse_deadlines_kept{node=\"\(server.address)\"} 200", by: leader)
        server.freeze()
        try await prometheus.waitUntilFires("LapseNotReady")
        try await Task.sleep(for: .seconds(20))  // The outage itself, more than ten seconds past the deadlines.
        server.resume()
        try await waitUntilHandled(200, "k:late", by: group)
        try await prometheus.waitUntilFires("LapseLag")
        try await prometheus.waitUntilNoneFires(but: ["LapseLag"])
        #expect(group.reported.lost == 0)
        await prometheus.shutDown()
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("LapsePredictedLate: a server with many volatile keys and a slow expire cycle, of which no key is asked for")
    func predictedLate() async throws {
        let server = try await ThrowawayServer.start()
        try await server.cli("CONFIG", "SET", "hz", "1")
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: server.url, name: "slow", leaseTTL: .seconds(5), nodes: 1)
        let leader = try await group.leader()
        try await waitUntilReady(true, leader, saying: "ok")
        let prometheus = try await RunningPrometheus.start(scraping: group.replicas)
        try await prometheus.waitUntilNoneFires()
        try await server.cli(
            [
                "EVAL", "for i = 1, 300000 do redis.call('SET', KEYS[1] .. i, '', 'EX', 86400) end", "1", "other:",
            ], within: .seconds(60))
        try await prometheus.waitUntilFires("LapsePredictedLate", of: server)
        await prometheus.shutDown()
        await group.shutDown()
        await server.shutDown()
    }

    @Test("a master of a cluster dies and has no replica: deaf to it, not ready, a register down; over when it is back")
    func aMasterDies() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        // The others go on serving their slots: of the dead master's alone nothing is heard.
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: cluster.urls, name: "outage", leaseTTL: .seconds(5),
            nodes: cluster.nodes.count)
        _ = try await group.leader()
        for replica in group.replicas { try await waitUntilReady(true, replica, saying: "ok") }
        let prometheus = try await RunningPrometheus.start(scraping: group.replicas)
        try await prometheus.waitUntilNoneFires()

        let dead = try await cluster.masters()[1]
        await dead.kill()
        try await prometheus.waitUntilFires("LapseDeaf", of: dead)
        try await prometheus.waitUntilFires("LapseNotReady")
        try await prometheus.waitUntilFires("LapseRegisterDown")
        let firing = try await prometheus.firing()
        #expect(firing["LapseDeaf"] == [dead.address], "of the others nothing is said: \(firing)")
        #expect(firing["LapseNoLeader"] == nil && firing["LapseLost"] == nil, "\(firing)")

        try await dead.start()
        try await prometheus.waitUntilNoneFires()
        #expect(group.reported.lost == 0)
        await prometheus.shutDown()
        await group.shutDown()
        await cluster.shutDown()
    }
}
