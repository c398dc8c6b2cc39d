/// Building the cluster by hand: `redis-cli --cluster create` waits in whole seconds.
extension ThrowawayCluster {
    func form() async throws {
        let nodes = nodes
        let masters = nodes.prefix(options.masters)
        try await each { index, node in
            // Distinct epochs, before the nodes meet: nodes settle equal ones by a slow ladder of bumps.
            var commands = ["CLUSTER SET-CONFIG-EPOCH \(index + 1)"]
            if index < masters.count {
                let share = self.share(index)
                // ADDSLOTSRANGE came with Redis 7.
                commands.append("CLUSTER ADDSLOTS " + share.map(String.init).joined(separator: " "))
            }
            try await node.script(commands)
        }
        try await each { index, node in
            // Everyone meets everyone: quicker than waiting for the gossip to get around.
            try await node.script(nodes.prefix(index).map { "CLUSTER MEET \($0.host) \($0.port)" })
        }
        for (index, replica) in nodes.dropFirst(options.masters).enumerated() {
            try await replicate(replica, from: masters[index % masters.count])
        }
        // Views settle by gossip, which takes longer among many.
        try await waitUntilHealthy(within: .seconds(20 + 2 * nodes.count))
    }

    /// Makes a node a replica, as soon as it knows its master.
    func replicate(_ replica: ThrowawayServer, from master: ThrowawayServer) async throws {
        let id = try await master.cli("CLUSTER", "MYID")
        try await waitUntil("\(replica.address) replicates \(master.address)", within: .seconds(10)) {
            try await replica.cli("CLUSTER", "REPLICATE", id)
            return nil
        }
    }

    /// Runs `work` on all nodes at once.
    private func each(_ work: @escaping @Sendable (Int, ThrowawayServer) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, node) in nodes.enumerated() {
                // At once, since each waits for its server; the group awaits them.
                group.addTask { try await work(index, node) }
            }
            try await group.waitForAll()
        }
    }

    private func share(_ index: Int) -> Range<Int> {
        Self.slotCount * index / options.masters..<Self.slotCount * (index + 1) / options.masters
    }
}
