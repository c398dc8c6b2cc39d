import RedisClient

/// A replica can take over from every master.
struct ReplicasCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.nodes.compactMap { node in
            guard node.isDataMaster, node.slotCount > 0, facts.replicas(of: node).isEmpty else { return nil }
            let isLoneServer = facts.mode == .standalone
            return DoctorFinding(
                isLoneServer ? .notes : .warns, "replicas", at: node.address, "no replica",
                "While this server is down none of its keys expires and no other server replaces it"
                    + (isLoneServer ? "; the lease is held here alone." : "."),
                fix: facts.mode == .cluster
                    ? "with the address of a new server: "
                        + facts.clusterCommand(
                            "add-node", "NEW-HOST:PORT", "\(node.address)", "--cluster-slave", "--cluster-master-id",
                            node.id)
                    : "on another server: REPLICAOF \(node.address.host) \(node.address.port)")
        }
    }
}
