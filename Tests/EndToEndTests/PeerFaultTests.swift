import Chaos
import Testing
import ThrowawayRedis

/// I12 on real processes: what any living replica heard and no leader finished can be had by the next
/// leader.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct PeerFaultTests {
    private func cluster() async throws -> ThrowawayCluster {
        var options = ClusterOptions()
        options.nodeTimeout = .seconds(2)
        return try await ThrowawayCluster.start(options)
    }

    /// A hash tag whose slot a node owns.
    private func tag(of node: ThrowawayServer, in cluster: ThrowawayCluster) async throws -> String {
        let slots = try await cluster.slots(of: node)
        let tags = (0..<100_000).lazy.map { "{t\($0)}" }
        guard let tag = tags.first(where: { tag in slots.contains { $0.contains(KeySlot.of(tag)) } }) else {
            throw ThrowawayRedisError("\(node.address) owns no slot")
        }
        return tag
    }

    @Test("row 103: a master dies for good after the leader's feed to it broke, and the followers' did not")
    func masterDiesUnheardByTheLeader() async throws {
        let cluster = try await cluster()
        let group = try await PeerGroup.start(on: cluster.liveNodes)
        let leader = try await group.leader()
        let master = try await cluster.masters()[1]
        let tag = try await tag(of: master, in: cluster)
        try await group.deafen(leader, to: master)
        try await master.expire(300, "k\(tag):")
        await cluster.kill(master)
        try await group.waitUntilHandled(300, "k\(tag):")
        #expect(group.handled.values.allSatisfy { $0 == 1 })
        #expect(ReportedLoss(group.replicas.map(\.log)).lost == 0)
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 104: the leader cannot hear one master for longer than a log's age, the followers can")
    func leaderIsDeafForLong() async throws {
        let cluster = try await cluster()
        let master = try await cluster.masters()[1]
        let group = try await PeerGroup.start(on: cluster.liveNodes, extra: ["--log-age", "4s"])
        let leader = try await group.leader()
        let tag = try await tag(of: master, in: cluster)
        try await group.deafen(leader, to: master)
        // Each time before the log of the followers forgets it; together longer than that.
        for round in 1...4 {
            try await master.expire(50, "k\(tag):\(round):")
            try await group.waitUntilHandled(50, "k\(tag):\(round):")
        }
        #expect(group.handled.values.allSatisfy { $0 == 1 })
        #expect(ReportedLoss(group.replicas.map(\.log)).lost == 0)
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 105: a rolling restart while the leader has a backlog of 1 500")
    func rollingRestartWithABacklog() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await PeerGroup.start(
            on: [server], extra: ["--concurrency", "4", "--drain", "3s"], hasReaders: true)
        let leader = try await group.leader()
        for replica in group.replicas { replica.readOutput(bytesPerSecond: 2 << 10) }
        try await server.expire(1_500, "k:")
        for replica in group.replicas where replica !== leader {
            let code = await replica.terminate()
            #expect(code == 0)
            try await group.begin(replica)
        }
        #expect(group.handled.count < 1_000, "there is no backlog: \(group.handled.count)")
        for replica in group.replicas { replica.readOutput(bytesPerSecond: nil) }
        let code = await leader.terminate()
        #expect(code == 0)
        try await group.waitUntilHandled(1_500, "k:")
        #expect(group.handled.values.allSatisfy { $0 == 1 })
        #expect(ReportedLoss(group.replicas.map(\.log)).lost == 0)
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 112: a hole larger than one answer holds: 40 000 keys of a kilobyte")
    func largeHole() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await PeerGroup.start(on: [server])
        let leader = try await group.leader()
        try await group.deafen(leader, to: server)
        // In pieces: the server keeps no more than 32 MiB for a subscriber.
        for round in 0..<10 { try await server.expire(4_000, "k:\(round):", padding: 1_000) }
        try await group.undeafen(leader, to: server)
        try await group.waitUntilHandled(40_000, "k:", within: .seconds(90))
        #expect(ReportedLoss(group.replicas.map(\.log)).lost == 0)
        #expect(group.handled.values.allSatisfy { $0 == 1 })
        await group.shutDown()
        await server.shutDown()
    }
}
