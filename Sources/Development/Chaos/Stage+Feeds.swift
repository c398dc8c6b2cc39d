import Foundation
import ThrowawayRedis

/// Faults of the feeds, and of what comes in by them.
extension Stage {
    /// Each cut is followed at once by an expiration, which the leader cannot hear: Redis announces ten
    /// times a second, and by itself would announce nothing in the milliseconds that a feed is away.
    func cutLeadersFeeds(for time: Duration) async throws -> Trace {
        let leader = try await group.leader()
        let tags = try await tagsOfMasters()
        let feed = "name=lapse:\(ReplicaGroup.name):\(leader.id):feed"
        let end = ContinuousClock.now + time
        var cuts = 0
        while ContinuousClock.now < end {
            for node in cluster.liveNodes {
                guard let list = try? await node.cli("CLIENT", "LIST", "TYPE", "pubsub") else { continue }
                let feeds = list.split(separator: "\n").filter { $0.contains(feed) }
                var script = feeds.compactMap { $0.split(separator: " ").first?.dropFirst(3) }.map {
                    "CLIENT KILL ID \($0)"
                }
                guard !script.isEmpty else { continue }
                cuts += script.count
                if let tag = tags[node.port] {
                    // WAIT only lets the key's time to live pass; it is found expired when it is read.
                    let key = "\(ArmedKeys.defaultPrefix)\(tag)\(cuts)"
                    script = ["SET \(key) '' PX 2", "WAIT 9 4"] + script + ["GET \(key)"]
                }
                // One that is gone by itself makes the script fail, and is as good as cut.
                _ = try? await node.script(script)
            }
        }
        return Trace(note: "\(cuts) cuts ")
    }

    /// A tag of a slot of each master, by its port.
    private func tagsOfMasters() async throws -> [Int: String] {
        var tags: [Int: String] = [:]
        for master in try await cluster.masters() {
            let slots = try await cluster.slots(of: master)
            guard !slots.isEmpty else { continue }
            tags[master.port] = (0...).lazy.map { "{cut\($0)}" }.first { tag in
                slots.contains { $0.contains(KeySlot.of(tag)) }
            }
        }
        return tags
    }

    /// Every replica's feed to one master. A client that may no longer listen to a channel is cut off at
    /// once, and stays away.
    func cutFeedsToOneNode(_ index: Int = 0, for time: Duration) async throws -> Trace {
        let node = try await master(index)
        try await node.cli("ACL", "SETUSER", ReplicaGroup.user, "resetchannels")
        try await Task.sleep(for: time)  // The fault itself.
        try await node.cli("ACL", "SETUSER", ReplicaGroup.user, "allchannels")
        return Trace()
    }

    /// A node announces nothing for a while, though it goes on counting: `--notifications set` ends it.
    func emptyNotifications(_ index: Int = 0) async throws -> Trace {
        let node = try await master(index)
        var trace = Trace()
        trace.blind = [.init(node: node, since: .distantPast)]
        // Several times: a replica may restore them within milliseconds, in which nothing expires.
        for _ in 0..<10 {
            try await node.cli("CONFIG", "SET", "notify-keyspace-events", "")
            try await waitUntil("the flags are back", within: .seconds(20)) {
                try await node.cli("CONFIG", "GET", "notify-keyspace-events").contains("xE") ? nil : "still empty"
            }
        }
        guard group.replicas.contains(where: { $0.count(of: "notifications missing") > 0 }) else {
            trace.problems.append("no replica named the node")
            return trace
        }
        return trace
    }

    /// Keys of one slot expire all at once, and their announcements do not fit into what the node keeps for
    /// a subscriber.
    func overrunBuffers(_ index: Int = 0, keys: Int) async throws -> Trace {
        let tag = "{burst}"
        let node = try await cluster.node(owningSlot: KeySlot.of(tag))
        try await node.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 65536 1")
        let lost = group.count(of: "subscription lost")
        let counter = try await node.info("expired_keys").flatMap { Int($0) } ?? 0
        try await node.cli(
            [
                "EVAL",
                """
                local at = redis.call('TIME')[1] * 1000 + ARGV[2]
                for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i, '', 'PXAT', at) end
                """, "1", "\(ArmedKeys.defaultPrefix)\(tag)", "\(keys)", "2000",
            ], within: .seconds(30))
        try await waitUntil("the burst has expired", within: .seconds(60), every: .milliseconds(100)) {
            let now = try await node.info("expired_keys").flatMap { Int($0) } ?? 0
            return now - counter >= keys ? nil : "\(now - counter) of \(keys)"
        }
        try await node.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60")
        let cuts = group.count(of: "subscription lost") - lost
        var trace = Trace(note: "burst of \(keys), \(cuts) feeds cut ")
        trace.blind = [.init(node: node, since: .distantPast)]
        if cuts == 0 { trace.problems.append("no feed was cut") }
        return trace
    }

    /// One master's statistics are reset; later a client publishes on the event channel.
    func resetAndForge(_ index: Int = 0, forged: Int = 50) async throws -> Trace {
        let node = try await master(index)
        let leader = try await group.leader()
        let resets = leader.count(of: "expiration counter was reset")
        // A counter that has caught up with what was last seen of it when it is looked at again was forged,
        // for all one knows.
        try await waitUntil("there is something to reset", within: .seconds(15)) {
            let counter = try await node.info("expired_keys").flatMap { Int($0) } ?? 0
            return counter < 300 ? "the counter is \(counter)" : nil
        }
        try await node.cli("CONFIG", "RESETSTAT")
        try await waitUntil("the reset is noticed", within: .seconds(15)) {
            leader.count(of: "expiration counter was reset") > resets ? nil : "not yet"
        }
        let surplus = leader.sum(of: "count", in: "forged expirations heard")
        try await node.script((0..<forged).map { "PUBLISH __keyevent@0__:expired forged:\($0)" })
        let nodes = cluster.liveNodes.count
        var trace = Trace(note: "forged \(forged), each heard from \(nodes) nodes ")
        do {
            // The bus takes a publish to every node, and every feed hears it: each must be told from an
            // announcement, by a mark, of which each feed takes one in five seconds.
            try await waitUntil("the forged ones are counted", within: .seconds(30)) {
                let counted = leader.sum(of: "count", in: "forged expirations heard") - surplus
                return counted == forged * nodes ? nil : "counted as surplus: \(counted) of \(forged * nodes)"
            }
        } catch {
            trace.problems.append("\(error)")
        }
        return trace
    }
}
