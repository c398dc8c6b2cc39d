import Testing
import ThrowawayRedis

@testable import Lapse

/// `--punctual track` on a cluster whose nodes expire nothing by themselves, while slots change hands.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct PunctualClusterTests {
    private func withCluster(
        replicas: Int, _ body: @Sendable (ThrowawayCluster, ProcessorConfiguration) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = replicas
        options.server.notifications = "Exg"
        options.server.extra += ["enable-debug-command yes"]
        let cluster = try await ThrowawayCluster.start(options)
        var configuration = ProcessorConfiguration(
            redis: cluster.urls.split(separator: ",").map(String.init), name: "punctual", match: ["timer:*"])
        configuration.leaseTTL = .seconds(3)
        configuration.punctual = .track
        do {
            for node in cluster.nodes { try await node.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0") }
            try await body(cluster, configuration)
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    /// Sets keys with TTLs on whichever node owns them.
    private static func arm(_ ids: Range<Int>, milliseconds: ClosedRange<Int>, _ cluster: ThrowawayCluster) async throws
    {
        for master in try await cluster.masters() {
            let slots = try await cluster.slots(of: master)
            let owned = ids.filter { id in slots.contains { $0.contains(KeySlot.of("timer:\(id)")) } }
            try await master.script(
                owned.map { "SET timer:\($0) 1 PX \(milliseconds.lowerBound + $0 * 37 % milliseconds.count)" })
        }
    }

    @Test func eachMasterIsNudged() async throws {
        try await withCluster(replicas: 0) { cluster, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await Self.arm(0..<600, milliseconds: 100...1_500, cluster)
                try await handler.waitFor((0..<600).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 600)
        }
    }

    @Test("row 93: what a master kept is the new master's after CLUSTER FAILOVER, and after a kill")
    func failover() async throws {
        try await withCluster(replicas: 1) { cluster, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                let old = try await cluster.masters()[0]
                let new = try #require(try await cluster.replicas(of: old).first)
                try await Self.arm(0..<900, milliseconds: 1_000...6_000, cluster)
                try await cluster.failover(new)
                try await handler.waitFor((0..<900).map { "timer:\($0)" })
                try await Self.arm(1_000..<1_900, milliseconds: 1_000...9_000, cluster)
                await cluster.kill(try await cluster.masters()[1])
                let known = handler.keys.count
                // Those that the replica had not received are gone with their master.
                try await waitUntil("the others are announced", within: .seconds(40)) {
                    handler.keys.count >= known + 890 ? nil : "\(handler.keys.count - known)"
                }
            }
            #expect(Set(handler.keys).count == handler.keys.count, "nothing comes twice")
        }
    }
}
