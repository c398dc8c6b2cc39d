import RedisClient

/// Every slot is owned by a node that the cluster calls healthy.
struct SlotsCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [Finding] {
        guard facts.mode == .cluster else { return [] }
        var found: [Finding] = []
        let anyone = facts.answering.first?.address ?? facts.nodes.first?.address
        if facts.uncoveredSlots > 0 {
            found.append(
                Finding(
                    .breaks, "slots", "\(Reading.count(facts.uncoveredSlots, "slot is", "slots are")) owned by no node",
                    "Keys there can be neither set nor expired, and with cluster-require-full-coverage the whole cluster "
                        + "refuses commands.",
                    fix: anyone.map { "redis-cli --cluster fix \($0)" }))
        }
        for node in facts.nodes where node.isFailing && !node.isLockServer {
            let owns = node.slotCount > 0
            found.append(
                Finding(
                    owns ? .breaks : .warns, "slots", at: node.address, "the cluster calls this node failing",
                    owns
                        ? "It owns \(Reading.count(node.slotCount, "slot", "slots")) and no replica has taken over yet."
                        : "It owns no slot; its master has one replica less.",
                    fix:
                        "start it again, or remove it: redis-cli --cluster del-node \(anyone ?? node.address) \(node.id)"
                ))
        }
        return found
    }
}
