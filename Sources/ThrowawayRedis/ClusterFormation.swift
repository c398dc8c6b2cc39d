/// Building the cluster by hand: `redis-cli --cluster create` waits in whole seconds.
extension ThrowawayCluster {
    func form() async throws {
        let nodes = nodes
        let masters = nodes.prefix(options.masters)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    // Distinct epochs beforehand: otherwise the nodes settle equal ones by a slow ladder of bumps.
                    var commands = ["CLUSTER SET-CONFIG-EPOCH \(index + 1)"]
                    if index < masters.count { commands.append("CLUSTER ADDSLOTSRANGE \(self.share(index))") }
                    // Everyone meets everyone: quicker than waiting for the gossip to get around.
                    commands += nodes.prefix(index).map { "CLUSTER MEET \($0.host) \($0.port)" }
                    try await node.script(commands)
                }
            }
            try await group.waitForAll()
        }
        for (index, replica) in nodes.dropFirst(options.masters).enumerated() {
            try await replicate(replica, from: masters[index % masters.count])
        }
        try await waitUntilHealthy()
    }

    /// Makes a node a replica, as soon as it knows its master.
    func replicate(_ replica: ThrowawayServer, from master: ThrowawayServer) async throws {
        let id = try await master.cli("CLUSTER", "MYID")
        try await waitUntil("\(replica.address) replicates \(master.address)", within: .seconds(10)) {
            try await replica.cli("CLUSTER", "REPLICATE", id)
            return nil
        }
    }

    private func share(_ index: Int) -> String {
        let first = Self.slotCount * index / options.masters
        let end = Self.slotCount * (index + 1) / options.masters
        return "\(first) \(end - 1)"
    }
}
