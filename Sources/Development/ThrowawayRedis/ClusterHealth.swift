extension ThrowawayCluster {
    /// Waits until the live nodes agree on who they are and who serves what, every slot is served by one of
    /// them, each calls the cluster ok, and every replica is in step with its master.
    ///
    /// Dead and frozen nodes do not count: a cluster that replaced a dead master is healthy.
    package func waitUntilHealthy(within limit: Duration = .seconds(20)) async throws {
        try await waitUntil("the cluster is healthy", within: limit, every: .milliseconds(50)) {
            await self.complaint()
        }
    }

    /// What is not healthy yet, or nil.
    private func complaint() async -> String? {
        let live = liveNodes
        guard !live.isEmpty else { return "no node runs" }
        let views = await views()
        var agreed: Set<String>?
        for node in live {
            guard let view = views[node.port] else { return "\(node.address) does not answer" }
            if view.entries.contains(where: { $0.flags.contains("handshake") }) {
                return "\(node.address) is still in a handshake"
            }
            var summaries: Set<String> = []
            var served = 0
            for other in live {
                guard let entry = view.entry(port: other.port), !entry.isFailing else {
                    return "\(node.address) does not see \(other.address) well"
                }
                if !entry.isMaster, !live.contains(where: { view.entry(port: $0.port)?.id == entry.masterID }) {
                    return "\(other.address) replicates a node that is gone"
                }
                summaries.insert(entry.summary)
                served += entry.slots.reduce(0) { $0 + $1.count }
            }
            guard served == Self.slotCount else { return "\(node.address) sees \(served) slots served" }
            guard agreed == nil || agreed == summaries else { return "the nodes disagree on roles or slots" }
            agreed = summaries
        }
        return await withTaskGroup(of: String?.self) { group in
            // At once, since a node that hangs answers late; the group awaits them.
            for node in live { group.addTask { await Self.complaint(of: node) } }
            return await group.first { $0 != nil } ?? nil
        }
    }

    private static func complaint(of node: ThrowawayServer) async -> String? {
        do {
            let state = try await node.cli(["CLUSTER", "INFO"], within: .seconds(2))
            guard state.contains("cluster_state:ok") else { return "\(node.address): cluster_state is not ok" }
            let link = try await node.info("master_link_status")
            return link == nil || link == "up" ? nil : "\(node.address): master_link_status:\(link ?? "")"
        } catch {
            return "\(error)"
        }
    }
}
