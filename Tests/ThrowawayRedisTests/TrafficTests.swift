import Foundation
import Testing
import ThrowawayRedis

extension ThrowawayRedisTests {
    @Test func everyAcknowledgedKeyIsSeenToExpireOnce() async throws {
        try await Self.withCluster { cluster in
            let witness = try await ExpirationWitness.watching(cluster.nodes)
            let traffic = ArmedKeys(cluster: cluster)
            let account = try await traffic.run(
                rate: 1000, ttl: .milliseconds(200) ... .milliseconds(800), duration: .seconds(2))
            #expect(account.acknowledged.count == 2000)
            #expect(account.unknown.isEmpty)
            #expect(account.refused.isEmpty)
            try await witness.waitUntilSeen(account.acknowledged.keys, within: .seconds(10))
            let counts = witness.counts
            #expect(Set(counts.keys) == Set(account.acknowledged.keys))
            #expect(counts.values.allSatisfy { $0 == 1 })
            for sighting in witness.sightings {
                let armed = try #require(account.acknowledged[sighting.key])
                #expect(sighting.time >= armed.sent.addingTimeInterval(armed.ttl / .seconds(1) - 0.005))
            }
            try await witness.stop()
        }
    }

    @Test func theAccountHoldsThroughAKillAndAMove() async throws {
        var options = ClusterOptions()
        options.server.password = "secret"
        try await Self.withCluster(options) { cluster in
            let witness = try await ExpirationWitness.watching(cluster.nodes)
            let traffic = ArmedKeys(cluster: cluster, replicasToWaitFor: 1)
            let victim = try await cluster.node(owningSlot: 0)
            let source = try await cluster.node(owningSlot: 16_383)
            let target = try await cluster.node(owningSlot: 8000)
            async let running = traffic.run(
                rate: 500, ttl: .milliseconds(500) ... .milliseconds(1500), duration: .seconds(10))
            try await waitUntil("keys are armed", within: .seconds(5)) {
                traffic.acknowledgedCount > 200 ? nil : "\(traffic.acknowledgedCount)"
            }
            try await cluster.moveSlots(count: 300, from: source, to: target)
            await cluster.kill(victim)
            try await cluster.waitUntilHealthy()
            try await cluster.restart(victim)
            try await witness.waitUntilSubscribed(to: victim)
            try await cluster.waitUntilHealthy()

            let account = try await running
            #expect(account.acknowledged.count > 4000)
            try await witness.waitUntilSeen(account.acknowledged.keys, within: .seconds(10))
            let strangers = Set(witness.counts.keys).subtracting(account.acknowledged.keys)
                .subtracting(account.unknown)
            #expect(strangers.isEmpty)
            try await witness.stop()
        }
    }

    @Test func slotsAreThoseOfRedis() async throws {
        #expect(KeySlot.of("123456789") == 12_739)
        #expect(KeySlot.of("{user}.a") == KeySlot.of("user"))
        #expect(KeySlot.of("{}a") != KeySlot.of(""))
    }
}
