import Chaos
import Synchronization
import Testing
import ThrowawayRedis

/// Row 81: a lock of the leader's runs out while its term goes on by the other registers.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct OwnLockInTermTests {
    @Test("a lock that runs out unheard, its node out of reach, is no loss and excuses no other", arguments: [0, 3])
    func lockRunsOutUnheard(losses: Int) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        let cluster = try await ThrowawayCluster.start(options)
        let masters = try await cluster.masters()
        let (node, others) = (masters[0], Array(masters.dropFirst()))
        let relay = try Relay(to: node)
        try await node.cli("CONFIG", "SET", "cluster-announce-port", "\(relay.port)")
        for other in others {
            try await waitUntil("\(other.address) knows it", within: .seconds(30)) {
                let table = try await other.cli("CLUSTER", "NODES")
                return table.contains("127.0.0.1:\(relay.port)@") ? nil : table
            }
        }
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: others.map(\.url).joined(separator: ","), name: "held",
            leaseTTL: .seconds(2), nodes: 3)
        let leader = try await group.leader()
        let tag = try await node.tag()
        try await node.script(["SET {\(tag)}before v PX 100"])
        try await waitUntil("it handles", within: .seconds(20)) { group.handledKeys.count == 1 ? nil : "not yet" }
        // The answer to the first renewal has come when the second one does.
        let lock = try await node.cli("KEYS", "*:lock")
        var (left, renewals) = (Int.max, 0)
        try await waitUntil("its lock has been renewed twice", within: .seconds(20)) {
            let now = try #require(Int(try await node.cli("PTTL", lock)))
            if now > left { renewals += 1 }
            left = now
            return renewals >= 2 ? nil : "\(renewals), \(now) ms left"
        }
        let isDead = Mutex(false)
        relay.onRequests { _, bytes in if isDead.withLock({ $0 }) { bytes = [] } }
        relay.onAnswers { _, bytes in if isDead.withLock({ $0 }) { bytes = [] } }
        isDead.withLock { $0 = true }
        for index in 0..<losses { try await node.script(["SET {\(tag)}lost\(index) v PX 100"]) }
        try await waitUntil("the lock has run out", within: .seconds(20)) {
            let keys = try await node.cli("KEYS", "*")
            return keys.contains(":lock") || keys.contains("lost") ? keys : nil
        }
        relay.cut()
        isDead.withLock { $0 = false }
        try await waitUntil("the hole is found", within: .seconds(30)) {
            leader.log.contains("expirations missed") ? nil : "\(leader.log.suffix(2_000))"
        }
        try await node.script(["SET {\(tag)}after v PX 100"])
        try await waitUntil("what comes behind it is handled", within: .seconds(30)) {
            group.handledKeys.count == 2 ? nil : "\(leader.log.suffix(2_000))"
        }
        #expect(group.reported.lost == losses, "\(leader.log.suffix(4_000))")
        #expect(leader.count(of: "became leader") == 1, "its term goes on")
        await group.shutDown()
        relay.shutDown()
        await cluster.shutDown()
    }
}
