import RedisClient

/// Where one server holds the majority of the registers, its successor must not be promoted while the
/// lease still runs: what the old master had not replicated, the new one does not know.
struct FailoverCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard let master = facts.soleDomain, !master.isLockServer else { return [] }
        let (patience, setting): (Duration?, String) =
            switch facts.mode {
            case .cluster:
                (
                    master.setting("cluster-node-timeout").flatMap { Int64($0) }.map { .milliseconds($0) },
                    "cluster-node-timeout"
                )
            case .sentinel: (facts.sentinelPatience, "down-after-milliseconds")
            case .standalone: (nil, "")
            }
        guard let patience, patience < facts.leaseTTL, !facts.replicas(of: master).isEmpty else { return [] }
        return [
            DoctorFinding(
                .warns, "failover", at: master.address, "a failover may be quicker than the lease",
                "\(setting) is \(Wording.duration(patience)), the lease \(Wording.duration(facts.leaseTTL)). A replica "
                    + "promoted before the lease has run out may not know of it and elect a second leader.",
                fix: fix(master.address, setting, facts))
        ]
    }

    private func fix(_ master: NodeAddress, _ setting: String, _ facts: DeploymentFacts) -> String {
        let wanted = "\(Int((facts.leaseTTL / .milliseconds(1)).rounded(.up)))"
        guard facts.mode == .sentinel else { return facts.command(on: master, "CONFIG", "SET", setting, wanted) }
        return "on every Sentinel: SENTINEL SET <master name> \(setting) \(wanted) (or a shorter --lease-ttl)"
    }
}
