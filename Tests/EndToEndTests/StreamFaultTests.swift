import ExpirationStream
import RESP
import Testing
import ThrowawayRedis

/// Rows 95 and 96 with real processes: what befalls the leader of a stream, and the masters of its
/// partitions.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct StreamFaultTests {
    private static let partitions = 2

    /// A cluster and three replicas that append to it.
    private struct Stage: Sendable {
        let cluster: ThrowawayCluster
        let replicas: [ThrowawayReplica]
        let keys: StreamKeys

        var leader: ThrowawayReplica? {
            get async throws {
                for server in cluster.liveNodes {
                    let lock = try await server.cli("KEYS", "{lapse-*}:default:lock").split(separator: "\n")
                    guard let key = lock.first.map(String.init) else { continue }
                    guard let owner = try? await server.cli("GET", key) else { continue }
                    if let found = replicas.first(where: { $0.isRunning && owner.contains($0.id) }) { return found }
                }
                return nil
            }
        }

        /// `id` and key of each entry, of all partitions.
        func entries() async throws -> [(id: String, key: String, isUncertain: Bool)] {
            var all: [(id: String, key: String, isUncertain: Bool)] = []
            for partition in keys.partitions {
                let node = try await cluster.node(owningSlot: Int(HashSlot.of(partition)))
                let lines = try await node.cli(["XRANGE", partition, "-", "+"], within: .seconds(30))
                    .split(separator: "\n").map(String.init)
                for (index, line) in lines.enumerated() {
                    if line == "id", index + 3 < lines.count { all.append((lines[index + 1], lines[index + 3], false)) }
                    // Behind all other fields of its entry.
                    if line == "uncertain" { all[all.count - 1].isUncertain = true }
                }
            }
            return all
        }

        /// Waits until each key has an entry; then no position may have two.
        func check(_ wanted: Set<String>, _ what: String) async throws {
            try await waitUntil("\(what): \(wanted.count) keys are in the stream", within: .seconds(60)) {
                let missing = wanted.subtracting(try await self.entries().map(\.key))
                return missing.isEmpty ? nil : "\(missing.count) are missing, such as \(missing.first ?? "")"
            }
            let entries = try await entries()
            #expect(Set(entries.map(\.id)).count == entries.count, "\(what): a position stands there twice")
            #expect(entries.count { $0.isUncertain } == 0, "\(what)")
        }
    }

    private func withStage(
        replicasPerMaster: Int, _ body: @Sendable (Stage) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = replicasPerMaster
        options.nodeTimeout = .seconds(2)
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let replicas = try ["a", "b", "c"].map { id in
                try ThrowawayReplica(
                    id: "writer-\(id)", binary: Binary.lapse,
                    arguments: [
                        "--redis", cluster.urls, "--lease-ttl", "2s", "--match", "k:*", "--admin", "off",
                        "--notifications", "set",
                    ], handler: ["--stream", "out", "--partitions", "\(Self.partitions)"])
            }
            let stage = Stage(
                cluster: cluster, replicas: replicas, keys: try StreamKeys("out", partitions: Self.partitions))
            for replica in replicas { try await replica.start() }
            try await waitUntil("a leader, and all are subscribed", within: .seconds(30)) {
                let feeds = replicas.map { $0.count(of: " subscribed ") }
                let isLed = try await stage.leader != nil
                return isLed && feeds.allSatisfy { $0 >= cluster.nodes.count } ? nil : "\(feeds)"
            }
            try await body(stage)
            for replica in replicas { await replica.kill() }
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    @Test("row 95: the leader is killed, then the next one stopped past its lease: each position stands there once")
    func leaders() async throws {
        try await withStage(replicasPerMaster: 0) { stage in
            let keys = ArmedKeys(cluster: stage.cluster)
            async let armed = keys.run(rate: 2_000, ttl: .milliseconds(200)...(.seconds(2)), duration: .seconds(2.5))
            try await waitUntil("expirations are appended", within: .seconds(20)) {
                try await stage.entries().count > 500 ? nil : "too few"
            }
            let first = try #require(try await stage.leader)
            await first.kill()
            let killed = try await armed
            var wanted = Set(killed.acknowledged.keys)
            #expect(wanted.count >= 4_000)
            try await stage.check(wanted, "SIGKILL")

            async let more = keys.run(rate: 500, ttl: .milliseconds(200)...(.seconds(1)), duration: .seconds(4))
            let second = try #require(try await stage.leader)
            #expect(second.id != first.id)
            second.freeze()
            try await waitUntil("another one leads", within: .seconds(20)) {
                let leader = try await stage.leader
                return leader != nil && leader?.id != second.id ? nil : "\(leader?.id ?? "none")"
            }
            second.resume()
            wanted.formUnion(try await more.acknowledged.keys)
            try await stage.check(wanted, "SIGSTOP")
            #expect(stage.replicas.allSatisfy { $0.count(of: " gap ") == 0 })
        }
    }

    @Test("row 96: the master of a partition dies, and its replica is promoted: nothing is missing, nothing twice")
    func failover() async throws {
        try await withStage(replicasPerMaster: 1) { stage in
            // What its own replica had not received died with the master, announced or not: keys that it
            // acknowledged too.
            let keys = ArmedKeys(cluster: stage.cluster, replicasToWaitFor: 1)
            async let armed = keys.run(rate: 400, ttl: .milliseconds(500)...(.seconds(2)), duration: .seconds(5))
            try await waitUntil("expirations are appended", within: .seconds(20)) {
                try await stage.entries().count > 300 ? nil : "too few"
            }
            let slot = Int(HashSlot.of(stage.keys.partitions[0]))
            let master = try await stage.cluster.node(owningSlot: slot)
            await stage.cluster.kill(master)
            try await waitUntil("its replica is promoted", within: .seconds(30)) {
                try await stage.cluster.node(owningSlot: slot) === master ? "not yet" : nil
            }
            try await stage.check(Set(try await armed.acknowledged.keys), "failover")
        }
    }
}
