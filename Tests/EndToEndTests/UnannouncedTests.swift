import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// A server that counts what it does not announce.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct UnannouncedTests {
    @Test("row 70: a counter that rises without an event is unannounced, its own place in the account, and not lost")
    func countedOnly() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        let secret = CountedInSecret(behind: relay)
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: relay.url, name: "counted", leaseTTL: .seconds(2),
            nodes: 1)
        let leader = try await group.leader()
        let keys = (0..<150).map { "k:\($0)" }
        try await server.script(keys[..<120].map { "SET \($0) v PX 20" })
        try await waitUntilHandled(keys[..<120], by: group)
        secret.add(3)
        try await waitUntil("the three are told", within: .seconds(20)) {
            leader.count(of: "counted and not announced") > 0 ? nil : "\(leader.log.suffix(1_000))"
        }
        try await server.script(keys[120...].map { "SET \($0) v PX 20" })
        try await waitUntilHandled(keys[...], by: group)
        try await waitUntil("the account shows them", within: .seconds(20)) {
            let status = try await leader.page("status")
            return status.contains("\"unannounced\":3") && status.contains("\"handled\":150") ? nil : status
        }
        let metrics = try await leader.page("metrics")
        let node = relay.address
        #expect(metrics.contains("\nlapse_expirations_unannounced_total{node=\"\(node)\"} 3\n"))
        #expect(metrics.contains("\nlapse_account{node=\"\(node)\",state=\"unannounced\"} 3\n"))
        #expect(metrics.contains("\nlapse_expirations_lost_total{node=\"\(node)\"} 0\n"))
        #expect(group.reported.lost == 0 && group.reported.imbalances == 0)
        await group.shutDown()
        relay.shutDown()
        await server.shutDown()
    }

    private func waitUntilHandled(_ keys: ArraySlice<String>, by group: ReplicaGroup) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(30)) {
            let missing = Set(keys).subtracting(group.handledKeys).count
            return missing == 0 ? nil : "\(missing) are missing"
        }
    }
}
