import Testing
import ThrowawayRedis

extension ThrowawayRedisTests {
    @Test func newMasterTakesSlotsWithTheirKeysAndLeavesAgain() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.password = "se\"cret"
        try await Self.withCluster(options) { cluster in
            let first = try await cluster.node(owningSlot: 0)
            // Same tag, same slot; quotes and newlines must survive the move.
            let slot = try #require(Int(try await first.cli("CLUSTER", "KEYSLOT", "{tag}")))
            let source = try await cluster.node(owningSlot: slot)
            try await source.script((0..<300).map { "SET \"{tag}\\n\\x00\\\"\($0)\" \($0) PX 60000" })

            let added = try await cluster.addNode()
            try await cluster.moveSlots(slot...slot, from: source, to: added)
            let moved = try await added.cli("CLUSTER", "COUNTKEYSINSLOT", "\(slot)")
            #expect(moved == "300")
            let left = try await source.cli("DBSIZE")
            #expect(left == "0")
            let owner = try await cluster.node(owningSlot: slot)
            #expect(owner === added)

            try await cluster.moveSlots(count: 1, from: added, to: source)
            try await cluster.forget(added)
            #expect(cluster.nodes.count == 3)

            let second = try await cluster.addNode()
            try await cluster.rebalance(onto: second)
            let share = try await cluster.slots(of: second).reduce(0) { $0 + $1.count }
            #expect((4090...4100).contains(share))
        }
    }

    @Test func failsOverOnRequestAndSurvivesAFreeze() async throws {
        try await Self.withCluster { cluster in
            let master = try await cluster.node(owningSlot: 0)
            let heir = try #require(try await cluster.replicas(of: master).first)
            try await cluster.failover(heir)
            try await cluster.waitUntilRole(master, .replica)
            try await cluster.waitUntilHealthy()

            cluster.freeze(heir)
            try await cluster.waitUntilRole(master, .master)
            cluster.resume(heir)
            try await cluster.waitUntilRole(heir, .replica)
            try await cluster.waitUntilHealthy()

            let second = try await cluster.addNode(asReplicaOf: master)
            let count = try await cluster.replicas(of: master).count
            #expect(count == 2)
            try await cluster.failover(second, force: .takeover)
            try await cluster.waitUntilHealthy()
            let owner = try await cluster.node(owningSlot: 0)
            #expect(owner === second)
        }
    }
}
