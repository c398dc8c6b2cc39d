import Foundation
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

extension RedisClientServerTests {
    /// Fault 62, in the order that hides it: the others have taken the address from the former node before
    /// it is asked.
    @Test func anAddressThatLeftTheViewIsAskedWhoAnswersThereNow() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let deployed = try await Deployed.start(
            RedisSeeds(addresses: cluster.nodes.map(\.node)), interval: .seconds(3600))
        let lost = cluster.nodes[0]
        let former = try await lost.cli("CLUSTER", "MYID")
        await cluster.kill(lost)
        try FileManager.default.removeItem(at: lost.directory.appending(path: "nodes.conf"))
        try await lost.start()
        let foreign = try await lost.cli("CLUSTER", "MYID")
        for other in cluster.nodes.dropFirst() {
            try await waitUntil("the former node has no address", within: .seconds(20)) {
                let table = try await other.cli("CLUSTER", "NODES")
                return table.split(separator: "\n").contains { $0.hasPrefix(former) && $0.contains("noaddr") }
                    ? nil : table
            }
        }
        // The first look finds the address gone, and the next one asks there.
        #expect(try #require(await deployed.watch.refresh()).topology.node(at: lost.node) == nil)
        let poll = try #require(await deployed.watch.refresh())
        #expect(poll.outsiders.map(\.id) == [foreign] && poll.outsiders.map(\.expected) == [former])
        // It was told; from now on the address is not asked.
        #expect(try #require(await deployed.watch.refresh()).outsiders.isEmpty)
        await deployed.stop()
        await cluster.shutDown()
    }

    @Test func aNodeThatIsTakenOutAsIntendedIsNoOutsider() async throws {
        let cluster = try await ThrowawayCluster.start()
        let replica = try #require(try await cluster.replicas(of: try await cluster.masters()[0]).first)
        let deployed = try await Deployed.start(
            RedisSeeds(addresses: cluster.nodes.map(\.node)), interval: .seconds(3600))
        let id = try await replica.cli("CLUSTER", "MYID")
        for other in cluster.nodes where other !== replica { try await other.cli("CLUSTER", "FORGET", id) }
        for _ in 0..<2 {
            let poll = try #require(await deployed.watch.refresh())
            #expect(poll.topology.node(at: replica.node) == nil && poll.outsiders.isEmpty)
        }
        await deployed.stop()
        await cluster.shutDown()
    }
}

/// Which addresses are asked for how long.
struct FormerAddressesTests {
    private func topology(_ nodes: [(id: String, port: Int)]) -> Topology {
        Topology(
            cluster: nodes.map {
                Topology.Node(id: $0.id, address: NodeAddress(host: "10.0.0.1", port: $0.port), role: .master)
            }, owner: [])
    }

    @Test func anAddressIsAskedUntilItAnswersOrForFifteenLooksOrUntilItIsSeenAgain() {
        var former = FormerAddresses()
        let (all, left) = (topology([("a", 1), ("b", 2), ("c", 3)]), topology([("a", 1)]))
        former.note(all, left)
        #expect(Set(former.addresses.map(\.port)) == [2, 3])
        #expect(former.answered(NodeAddress(host: "10.0.0.1", port: 2), id: "x")?.expected == "b")
        #expect(former.answered(NodeAddress(host: "10.0.0.1", port: 2), id: "y") == nil, "it is asked no more")
        for _ in 0..<14 { former.note(left, left) }
        #expect(former.addresses.map(\.port) == [3])
        former.note(left, left)
        #expect(former.addresses.isEmpty)
        former.note(all, left)
        #expect(former.answered(NodeAddress(host: "10.0.0.1", port: 3), id: "c") == nil)
        former.note(left, topology([("a", 1), ("b", 2)]))
        #expect(former.addresses.isEmpty)
    }
}
