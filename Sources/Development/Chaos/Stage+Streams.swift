import Foundation
import ThrowawayRedis

/// Faults of a stream's leader, of the masters of its partitions, and of its workers.
extension Stage {
    /// The one whose loss takes the most with it: what it took from the leader last, and what it had
    /// announced.
    func killMasterOfPartition() async throws -> Trace {
        let master = try await masterOfPartition()
        guard let replica = try await cluster.replicas(of: master).first else {
            throw ThrowawayRedisError("\(master.address) has no replica")
        }
        await cluster.kill(master)
        try await cluster.waitUntilRole(replica, .master, within: .seconds(40))
        return Trace(note: "killed \(master.address) ")
    }

    /// It takes no more writes that need memory for a while; its keys expire all the same.
    func fillMasterOfPartition(for time: Duration) async throws -> Trace {
        let master = try await masterOfPartition()
        try await master.cli("CONFIG", "SET", "maxmemory", "1")
        let entries = try await entries().count
        try await Task.sleep(for: time)  // The fault itself.
        var trace = Trace()
        if try await self.entries().count == entries {
            trace.problems.append("the other partitions got nothing meanwhile")
        }
        try await master.cli("CONFIG", "SET", "maxmemory", "0")
        if group.count(of: "stream cannot be appended to") == 0 { trace.problems.append("no replica named the fault") }
        return trace
    }

    /// A master numbers anew, a client publishes on the event channel, and the leader dies before it can
    /// tell them from announcements.
    func resetForgeAndKill(_ index: Int = 0, forged: Int = 50) async throws -> Trace {
        let node = try await master(index)
        let leader = try await group.leader()
        try await node.cli("CONFIG", "RESETSTAT")
        try await node.script((0..<forged).map { "PUBLISH __keyevent@0__:expired forged:\($0)" })
        await leader.kill()
        return Trace(note: "forged \(forged), heard from \(cluster.liveNodes.count) nodes ")
    }

    /// All that Lapse keeps goes: lock, token, progress. Then the leader dies, too: the next one knows
    /// nothing but the stream.
    func flushRegisters() async throws -> Trace {
        var flushed = 0
        for master in try await cluster.masters() {
            let keys = try await master.cli("--scan", "--pattern", "{lapse-*}:\(ReplicaGroup.name):*")
                .split(separator: "\n").map(String.init)
            for key in keys { try await master.cli("DEL", key) }
            flushed += keys.count
        }
        await (try group.leader()).kill()
        return Trace(note: "flushed \(flushed) keys ")
    }

    private func masterOfPartition() async throws -> ThrowawayServer {
        guard let partition = try await partitions().first else {
            throw ThrowawayRedisError("the stream has no partition yet")
        }
        return try await cluster.node(owningSlot: KeySlot.of(partition))
    }

    // MARK: - Workers

    /// Four that share what the replicas append.
    func startWorkers(binary: String) async throws -> [ThrowawayReplica] {
        let workers = try (1...4).map { number in
            try ThrowawayReplica(
                id: "worker-\(number)", binary: binary, command: "work",
                arguments: [
                    "--redis", ReplicaGroup.urls(cluster.nodes), "--stream", Self.stream, "--group", Self.workGroup,
                    "--claim-after", "2s", "--dead-letter", Self.deadLetters,
                ], isSupervised: group.replicas.allSatisfy(\.isSupervised))
        }
        for worker in workers { try await worker.start() }
        try await waitUntil("every worker works", within: .seconds(30)) {
            let count = workers.count { $0.count(of: " working ") > 0 }
            return count == workers.count ? nil : "\(count) do"
        }
        return workers
    }

    /// One after the other dies at random, with what it has in hand, and is started again: by its parent
    /// where it has one.
    func killWorkers(for time: Duration) async throws -> Trace {
        let end = ContinuousClock.now + time
        var kills = 0
        while ContinuousClock.now < end, let worker = workers.randomElement() {
            await worker.killWorker()
            kills += 1
            if !worker.isSupervised { try await worker.start() }
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...600)))  // The pace of the fault.
        }
        return Trace(note: "\(kills) workers killed ")
    }
}
