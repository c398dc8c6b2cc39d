import RedisClient

/// `min-replicas-to-write` lets a master that was cut off stop taking renewals; set too high it stops the lease.
struct MinReplicasCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [Finding] {
        facts.registerNodes.compactMap { node in
            guard node.role == .master, let wanted = node.setting("min-replicas-to-write").flatMap({ Int($0) })
            else { return nil }
            let good =
                node.info["min_slaves_good_slaves"].flatMap { Int($0) }
                ?? facts.replicas(of: node).count(where: \.isAnswering)
            if wanted > good {
                return Finding(
                    .breaks, "min-replicas", at: node.address, "the server refuses writes",
                    "min-replicas-to-write is \(wanted), but \(Reading.count(good, "replica is", "replicas are")) in step: the "
                        + "register here cannot be held, and keys cannot be set.",
                    fix: "bring the replicas back, or: "
                        + facts.command(on: node.address, "CONFIG", "SET", "min-replicas-to-write", "\(good)"))
            }
            let replicas = facts.replicas(of: node).count
            guard wanted < replicas, facts.soleDomain?.address == node.address else { return nil }
            return Finding(
                .notes, "min-replicas", at: node.address, "a master that is cut off goes on taking renewals",
                "It holds the majority of the registers, and min-replicas-to-write is \(wanted) with "
                    + "\(Reading.count(replicas, "replica", "replicas")). Cut off together with the leader it keeps that leader, "
                    + "while the other side elects one too.",
                fix: facts.command(on: node.address, "CONFIG", "SET", "min-replicas-to-write", "\(replicas)"))
        }
    }
}
