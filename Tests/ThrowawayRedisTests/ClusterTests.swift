import Testing
import ThrowawayRedis

extension ThrowawayRedisTests {
    @Test func comesUpAndReplacesAKilledMaster() async throws {
        try await Self.withCluster { cluster in
            let masters = try await cluster.masters()
            #expect(masters.count == 3)
            let victim = masters[0]
            let replicas = try await cluster.replicas(of: victim)
            let heir = try #require(replicas.first)
            await cluster.kill(victim)
            #expect(victim.pid == nil)
            try await cluster.waitUntilRole(heir, .master)
            try await cluster.waitUntilHealthy()
            let owner = try await cluster.node(owningSlot: 0)
            #expect(owner === heir)
            try await cluster.restart(victim)
            try await cluster.waitUntilRole(victim, .replica)
            try await cluster.waitUntilHealthy()
        }
    }
}
