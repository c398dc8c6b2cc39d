import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// What counts while the servers change their roles: an entry waits for its verdict, it is never passed
/// over for lack of one.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct VerdictTests {
    private func waitUntilHandled(_ keys: Set<String>, by group: ReplicaGroup) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(60), every: .milliseconds(100)) {
            let missing = keys.subtracting(group.handledKeys)
            return missing.isEmpty ? nil : "\(missing.count) are missing; \(group.replicas[0].log.suffix(1500))"
        }
    }

    /// The leader must outlive the failover, or its successor judges by a view that is right again.
    @Test("row 101: a promoted server announces while the Sentinels still name the dead one: none is passed over")
    func sentinelFailover() async throws {
        let servers = try await ThrowawaySentinel.start(SentinelOptions())
        let lock = try await ThrowawayServer.start()
        let urls = servers.sentinels.map { "redis+sentinel://\($0.address)/mymaster" }.joined(separator: ",")
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: urls, name: "sentinel", leaseTTL: .seconds(5),
            nodes: servers.servers.count, extra: ["--lock-servers", lock.url])
        let leader = try await group.leader()
        let master = try await servers.master()
        let heir = try #require(servers.servers.first { $0 !== master })
        let keys = (0..<1_000).map { "k:\($0)" }
        // All overdue by the time of the promotion: they are announced at once, before the Sentinels have told
        // of it.
        let deadline = Int(Date().timeIntervalSince1970 * 1000) + 1_500
        try await master.script(keys.map { "SET \($0) 1 PXAT \(deadline)" })
        try await waitUntil("the replica has all", within: .seconds(10)) {
            try await heir.cli("DBSIZE") == master.cli("DBSIZE") ? nil : "not yet"
        }
        await master.kill()
        try await servers.waitForPromotion(after: master, within: .seconds(30))
        // Sentinels close the connections of a server that they promote. What it announces in the milliseconds
        // until the feed is back, on a busy machine all of it, no one can hear: that is lost, and counted to
        // the last one.
        try await waitUntil("all keys are handled or counted", within: .seconds(60), every: .milliseconds(100)) {
            let missing = Set(keys).subtracting(group.handledKeys).count
            return missing <= group.reported.lost ? nil : "\(missing) are missing; \(leader.log.suffix(1500))"
        }
        let wasCut = leader.log.split(separator: "\n").contains {
            $0.contains("subscription lost") && $0.contains("node=\(heir.address) ")
                && $0.contains("closed the connection")
        }
        #expect(leader.count(of: "became leader") == 1)
        #expect(group.reported.lost == 0 || wasCut, "\(leader.log.suffix(1500))")
        #expect(group.handled.count + group.reported.lost == keys.count)
        await group.shutDown()
        await servers.shutDown()
        await lock.shutDown()
    }

    /// That it takes longer than a minute, and looks by the hundred, is left to `OwnershipTests`.
    @Test("row 107: slots move away while a backlog of theirs waits behind slow handlers: all of it is handled")
    func slotsMoveUnderABacklog() async throws {
        let cluster = try await ThrowawayCluster.start()
        let masters = try await cluster.masters()
        // One handler at a time, and an output that is not read: nothing goes on.
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: masters[1].url, name: "backlog", leaseTTL: .seconds(5),
            nodes: cluster.nodes.count, extra: ["--concurrency", "1"], hasReaders: true)
        let leader = try await group.leader()
        leader.readOutput(bytesPerSecond: 1)
        let slots = try await cluster.slots(of: masters[0])
        // More than the leader takes up ahead: the last of them are judged only when the slots are gone.
        let number = (0..<10_000).first { number in slots.contains { $0.contains(KeySlot.of("{\(number)}")) } }
        let tag = "{\(try #require(number))}"
        let keys = (0..<3_000).map { "\(tag)\($0)" }
        try await masters[0].script(keys.map { "SET \($0) 1 PX 200" })
        try await waitUntil("all have expired", within: .seconds(20)) {
            let expired = try await masters[0].info("expired_keys").flatMap { Int($0) } ?? 0
            return expired >= keys.count ? nil : "\(expired) have"
        }
        try await cluster.moveSlots(count: .max, from: masters[0], to: masters[2])
        leader.readOutput(bytesPerSecond: nil)
        try await waitUntilHandled(Set(keys), by: group)
        // A write that waited for longer than a handler may take is tried again: not once each, but each.
        #expect(group.reported.lost == 0)
        await group.shutDown()
        await cluster.shutDown()
    }
}
