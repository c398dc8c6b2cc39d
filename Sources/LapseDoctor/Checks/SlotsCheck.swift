import RedisClient

/// Every slot is owned by a node that the cluster calls healthy.
struct SlotsCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard facts.mode == .cluster else { return [] }
        var found: [DoctorFinding] = []
        let anyone = facts.answering.first?.address ?? facts.nodes.first?.address
        if facts.uncoveredSlots > 0 {
            found.append(
                DoctorFinding(
                    .breaks, "slots", "\(Wording.count(facts.uncoveredSlots, "slot is", "slots are")) owned by no node",
                    "Keys there can be neither set nor expired, and with cluster-require-full-coverage the whole cluster "
                        + "refuses commands.",
                    fix: anyone.map { facts.clusterCommand("fix", "\($0)") }))
        }
        for node in facts.nodes where node.isFailing && !node.isLockServer {
            found.append(node.slotCount > 0 ? owner(node, facts) : leftover(node, facts, forgettingAt: anyone))
        }
        return found
    }

    /// The keys of its slots are nowhere else, or on a replica that has not taken over: it is never to be
    /// removed.
    private func owner(_ node: NodeFacts, _ facts: DeploymentFacts) -> DoctorFinding {
        let replica = facts.replicas(of: node).first { $0.isAnswering }
        return DoctorFinding(
            .breaks, "slots", at: node.address, "the cluster calls this node failing",
            "It owns \(Wording.count(node.slotCount, "slot", "slots")) and no replica has taken over yet.",
            fix: "start it again"
                + (replica.map {
                    ", or promote its replica: \(facts.command(on: $0.address, "CLUSTER", "FAILOVER", "TAKEOVER"))"
                }
                    ?? ""))
    }

    /// A dead node without slots: a master that was replaced, or a replica.
    private func leftover(_ node: NodeFacts, _ facts: DeploymentFacts, forgettingAt anyone: NodeAddress?)
        -> DoctorFinding
    {
        let master = facts.nodes.first { $0.id == node.masterID }
        // With its master dead too, it may have the only copy of what that one held.
        let isLastCopy = node.role == .replica && master?.isAnswering != true
        return DoctorFinding(
            isLastCopy ? .warns : .notes, "slots", at: node.address, "the cluster calls this node failing",
            node.role == .master
                ? "It owns no slot: another master has its place. Lapse is ready without it."
                : "It is a replica; its master has one replica less.",
            fix: isLastCopy
                ? "start it again"
                : "start it again, or make all others forget it: "
                    + facts.clusterCommand("call", "\(anyone ?? node.address)", "CLUSTER", "FORGET", node.id))
    }
}
