import RedisClient

/// `min-replicas-to-write` lets a master that was cut off stop taking renewals; set too high it stops
/// the lease.
struct MinReplicasCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.registerNodes.compactMap { node in
            guard node.role == .master, let wanted = node.setting("min-replicas-to-write").flatMap({ Int($0) })
            else { return nil }
            let good =
                node.info["min_slaves_good_slaves"].flatMap { Int($0) }
                ?? facts.replicas(of: node).count(where: \.isAnswering)
            if wanted > good {
                return DoctorFinding(
                    .breaks, "min-replicas", at: node.address, "the server refuses writes",
                    "min-replicas-to-write is \(wanted), but \(Wording.count(good, "replica is", "replicas are")) in step: the "
                        + "register here cannot be held, and keys cannot be set.",
                    fix: "bring the replicas back, or: "
                        + facts.command(on: node.address, "CONFIG", "SET", "min-replicas-to-write", "\(good)"))
            }
            return isolation(facts, node, wanted)
        }
    }

    /// A partition: the side with the leader keeps it through the old master, the other side promotes a
    /// replica and elects one. The two cannot overlap if the old master has stopped taking writes, and the
    /// last renewal that it took has run out, before a replica is promoted.
    private func isolation(_ facts: DeploymentFacts, _ node: NodeFacts, _ wanted: Int) -> DoctorFinding? {
        let replicas = facts.replicas(of: node).count
        guard replicas > 0, facts.soleDomain?.address == node.address else { return nil }
        let lag = node.setting("min-replicas-max-lag").flatMap { Int($0) } ?? 10
        let patience = facts.sentinelPatience.map { Int($0.components.seconds) }
        let lease = Int((facts.leaseTTL / .seconds(1)).rounded(.up))
        let isLate = patience.map { lag + lease > $0 } ?? false
        guard wanted < replicas || isLate else { return nil }
        let allowed = patience.map { max(1, $0 - lease) } ?? lag
        var settings = ["min-replicas-to-write", "\(replicas)"]
        // Several parameters at once are a form of Redis 7: two commands work everywhere.
        var fix = facts.command(on: node.address, words: ["CONFIG", "SET"] + settings)
        if isLate {
            settings = ["min-replicas-max-lag", "\(min(lag, allowed))"]
            fix += " && " + facts.command(on: node.address, words: ["CONFIG", "SET"] + settings)
        }
        let shorter =
            patience.flatMap { $0 <= lease ? $0 : nil }
            .map { " Besides: a --lease-ttl below \($0)s, or a longer down-after-milliseconds." } ?? ""
        return DoctorFinding(
            .warns, "min-replicas", at: node.address, "a master that is cut off goes on taking renewals",
            "It holds the majority of the registers, with min-replicas-to-write \(wanted) and min-replicas-max-lag \(lag) s for "
                + "\(Wording.count(replicas, "replica", "replicas")). Cut off together with the leader it keeps that leader, "
                + "while the other side elects one too: for up to min-replicas-max-lag and a lease, or for as long as the "
                + "partition lasts where min-replicas-to-write is below the number of replicas.\(shorter)",
            fix: fix)
    }
}
