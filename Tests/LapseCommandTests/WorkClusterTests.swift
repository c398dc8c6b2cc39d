import ExpirationStream
import Foundation
import RESP
import Testing
import ThrowawayRedis

/// The whole way in a cluster: keys expire, `lapse run --stream` appends them to partitions,
/// `lapse work` handles them.
@Suite(.timeLimit(.minutes(2)), .serialized) struct WorkClusterTests {
    private func expire(_ cluster: ThrowawayCluster, _ numbers: ClosedRange<Int>) async throws {
        for number in numbers {
            _ = try await cluster.nodes[0].cli("-c", "SET", "k:\(number)", "1", "PX", "50")
        }
    }

    private func keys(_ children: [LapseBinary.Child]) -> Set<String> {
        Set(children.flatMap(\.lines).compactMap { $0.firstMatch(of: /"key":"(k:\d+)".*\}$/).map { String($0.1) } })
    }

    @Test func workersFollowTheirPartitions() async throws {
        let cluster = try await ThrowawayCluster.start()
        let url = cluster.nodes[0].url
        let leader = try LapseBinary.start([
            "run", "--redis", url, "--stream", "exp", "--partitions", "3", "--match", "k:*", "--notifications", "set",
            "--punctual", "sweep", "--admin", "127.0.0.1:0", "--supervise", "off",
        ])
        let workers = try ["a", "b"].map { id in
            try LapseBinary.start([
                "work", "--redis", url, "--stream", "exp", "--group", "g", "--id", id, "--handler", "ndjson",
                "--claim-after", "1s", "--log-level", "error",
            ])
        }
        let layout = try StreamKeys("exp", partitions: 3)
        try await waitUntil("the writer is there", within: .seconds(20)) {
            let count = try await cluster.nodes[0].cli("-c", "HGET", layout.layout, "partitions")
            return count == "3" ? nil : "\(count) \(leader.text.errors)"
        }
        // The writer may be there before every node is listened to, and what expires until then is announced
        // to no one.
        try await waitUntil("it hears every node", within: .seconds(20)) {
            let address = leader.text.errors.firstMatch(of: /address=(127[.0-9:]+)/).map { String($0.1) }
            guard let address else { return leader.text.errors }
            let run = try await LapseBinary.run(["health", "--ready", "--admin", address])
            return run.code == 0 ? nil : "\(run)"
        }
        try await expire(cluster, 1...40)
        try await waitUntil("all are handled", within: .seconds(30)) {
            keys(workers).count == 40
                ? nil : "\(keys(workers).count) \(leader.text.errors) \(workers.map(\.text.errors))"
        }

        // One partition gets another master, and the slot of another moves.
        let first = try await cluster.node(owningSlot: Int(HashSlot.of(layout.partitions[0])))
        let replica = try #require(try await cluster.replicas(of: first).first)
        try await cluster.failover(replica)
        let slot = Int(HashSlot.of(layout.partitions[1]))
        let owner = try await cluster.node(owningSlot: slot)
        let other = try #require(try await cluster.masters().first { $0.port != owner.port })
        try await cluster.moveSlots(slot...slot, from: owner, to: other)
        try await expire(cluster, 41...80)
        try await waitUntil("these too", within: .seconds(30)) {
            keys(workers).count == 80
                ? nil : "\(keys(workers).count) \(leader.text.errors) \(workers.map(\.text.errors))"
        }
        for partition in layout.partitions {
            try await waitUntil("nothing is pending", within: .seconds(10)) {
                let pending = try await cluster.nodes[0].cli("-c", "XPENDING", partition, "g")
                return pending.hasPrefix("0") ? nil : pending
            }
        }
        for child in workers + [leader] { child.signal(SIGTERM) }
        for child in workers + [leader] { #expect(try await child.end().code == 0) }
        await cluster.shutDown()
    }
}
