import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// The same service against the other kinds of deployment: a Sentinel group, and independent lock
/// servers.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct DeploymentKindTests {
    private func waitUntilHandled(_ key: String, by group: ReplicaGroup) async throws {
        try await waitUntil("\(key) is handled", within: .seconds(30)) {
            group.handled.contains { $0.key == key } ? nil : "not yet"
        }
    }

    @Test("A Sentinel group: the promoted replica is listened to from its first expiration, one register goes on")
    func sentinel() async throws {
        let servers = try await ThrowawaySentinel.start(SentinelOptions())
        // Any one sentinel will do, so one is named.
        let url = "redis+sentinel://\(servers.sentinels[0].address)/mymaster"
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: url, name: "sentinel", leaseTTL: .seconds(2), nodes: servers.servers.count)
        _ = try await group.leader()
        let master = try await servers.master()
        _ = try await master.cli("SET", "before", "1", "PX", "200")
        try await waitUntilHandled("before", by: group)
        await master.kill()
        let promoted = try await servers.waitForPromotion(after: master, within: .seconds(30))
        try await waitUntil("the promoted one takes writes", within: .seconds(20)) {
            _ = try await promoted.cli("SET", "after", "1", "PX", "200")
            return nil
        }
        try await waitUntilHandled("after", by: group)
        #expect(group.handled.last { $0.key == "after" }?.node == promoted.address)
        await group.shutDown()
        await servers.shutDown()
    }

    @Test("Three independent lock servers: one may die, two may not; then nobody leads")
    func lockServers() async throws {
        let redis = try await ThrowawayServer.start()
        var locks: [ThrowawayServer] = []
        for _ in 0..<3 { locks.append(try await ThrowawayServer.start()) }
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: redis.url, name: "redlock", leaseTTL: .seconds(2), nodes: 1,
            extra: ["--lock-servers", locks.map(\.url).joined(separator: ",")])
        let leader = try await group.leader()
        await locks[0].kill()
        // Longer than a lease: several renewals have to do with two of three.
        for number in 0..<4 {
            _ = try await redis.cli("SET", "one-down-\(number)", "1", "PX", "700")
            try await waitUntilHandled("one-down-\(number)", by: group)
        }
        #expect(leader.count(of: "leadership lost") == 0)
        await locks[1].kill()
        try await waitUntil("the leader steps down", within: .seconds(20)) {
            leader.count(of: "leadership lost") == 1 ? nil : "it still leads"
        }
        for server in locks + [redis] { await server.shutDown() }
        await group.shutDown()
    }
}
