import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Nodes that come back under other addresses, as they do where each start brings a new one.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ManyAddressesTests {
    @Test("row 65: a node that comes back under ten addresses: all is handled, and nothing is kept of the nine before")
    func tenAddresses() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let masters = try await cluster.masters()
        let others = Array(masters.dropFirst())
        // What is kept of a node goes after ten times the age of a log.
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: others.map(\.url).joined(separator: ","), name: "moves",
            leaseTTL: .seconds(2), nodes: 3, extra: ["--log-age", "4s"])
        _ = try await group.leader()
        let tag = try await masters[0].tag()
        let file = masters[0].directory.appending(path: "nodes.conf").path
        var present = masters[0]
        var moved: [ThrowawayServer] = []
        for round in 0..<10 {
            await present.kill()
            var next = ServerOptions()
            next.extra = options.server.extra + ["cluster-enabled yes", "cluster-config-file \(file)"]
            present = try await ThrowawayServer.start(next)
            moved.append(present)
            for node in others {
                try await waitUntil("\(node.address) knows the new address", within: .seconds(20)) {
                    let table = try await node.cli("CLUSTER", "NODES")
                    let line = table.split(separator: "\n").first { $0.contains(present.address) }
                    return line.map { $0.contains("fail") || $0.contains("disconnected") } ?? true ? table : nil
                }
            }
            try await waitUntil("it takes commands", within: .seconds(20)) {
                let info = try await present.cli("CLUSTER", "INFO")
                return info.contains("cluster_state:ok") ? nil : info
            }
            try await waitUntil("both replicas listen at the new address", within: .seconds(20)) {
                group.replicas.allSatisfy { replica in
                    replica.log.split(separator: "\n").contains {
                        $0.contains(" subscribed") && $0.contains(present.address)
                    }
                } ? nil : "not yet"
            }
            try await present.script((0..<20).map { "SET {\(tag)}\(round):\($0) v PX 100" })
            try await waitUntil("20 of round \(round) are handled", within: .seconds(20)) {
                let count = group.handledKeys.count { $0.hasPrefix("{\(tag)}\(round):") }
                return count == 20 ? nil : "\(count) are"
            }
        }
        let (living, former) = (others + [present], [masters[0]] + moved.dropLast())
        var runs: Set<String> = []
        for node in living { runs.insert(try #require(try await node.info("run_id"))) }
        for replica in group.replicas {
            try await waitUntil("no series of \(replica.id) names an absent node", within: .seconds(60)) {
                let page = try await replica.page("metrics")
                return former.first { page.contains($0.address) }?.address
            }
        }
        try await waitUntil("the progress is that of living processes", within: .seconds(60)) {
            var named: Set<String> = []
            for node in living {
                for key in try await node.cli("--raw", "KEYS", "*moves*").split(separator: "\n")
                where try await node.cli("TYPE", String(key)) == "hash" {
                    for field in try await node.cli("--raw", "HKEYS", String(key)).split(separator: "\n")
                    where field.hasPrefix("log:") || field.hasPrefix("base:") || field.hasPrefix("account:") {
                        named.insert(String(field.drop { $0 != ":" }.dropFirst()))
                    }
                }
            }
            return named.isSubset(of: runs) && !named.isEmpty ? nil : "\(named.subtracting(runs)) of \(named)"
        }
        #expect(group.handledKeys.count == 200 && group.reported.lost == 0)
        await group.shutDown()
        for server in moved { await server.shutDown() }
        await cluster.shutDown()
    }
}
