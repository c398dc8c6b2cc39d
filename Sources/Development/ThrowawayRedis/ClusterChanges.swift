/// What an operator does to a running cluster.
extension ThrowawayCluster {
    /// How a replica takes its master's place.
    package enum Failover: String, Sendable {
        /// In agreement with the master, which stops writes until the replica has caught up.
        case none = ""
        /// By election, without asking the master.
        case force = "FORCE"
        /// Without election.
        case takeover = "TAKEOVER"
    }

    /// Promotes a replica and returns once it is a master.
    package func failover(_ replica: ThrowawayServer, force: Failover = .none) async throws {
        try await replica.cli(["CLUSTER", "FAILOVER"] + (force == .none ? [] : [force.rawValue]))
        try await replica.waitUntilRole(.master)
    }

    /// A new node: a replica of `master`, or else a master without slots.
    package func addNode(asReplicaOf master: ThrowawayServer? = nil) async throws -> ThrowawayServer {
        let present = liveNodes
        let node = try await ThrowawayServer.start(options.nodeOptions)
        append(node)
        try await node.script(present.map { "CLUSTER MEET \($0.host) \($0.port)" })
        if let master { try await replicate(node, from: master) }
        try await waitUntilHealthy()
        return node
    }

    /// Takes a node out for good: every other node forgets it, and it is shut down.
    package func forget(_ node: ThrowawayServer) async throws {
        guard let entry = try await view().entry(port: node.port) else { throw notAMember(node) }
        guard entry.slots.isEmpty else {
            throw ThrowawayRedisError("\(node.address) serves slots: move them away before it is forgotten")
        }
        // Gone first, or its pings would introduce it again.
        await node.shutDown()
        drop(node)
        for other in liveNodes { try await other.cli("CLUSTER", "FORGET", entry.id) }
        try await waitUntilHealthy()
    }
}
