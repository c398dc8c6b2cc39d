import RedisClient

/// Every server answers, and quickly enough for the lease.
struct ReachabilityCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.nodes.compactMap { finding($0, facts) } + facts.silentSeeds.map(silent)
    }

    private func finding(_ node: NodeFacts, _ facts: DeploymentFacts) -> DoctorFinding? {
        switch node.contact {
        case .denied(let text):
            return DoctorFinding(
                .breaks, "reachability", at: node.address, "login refused",
                "\(text). Nothing this server announces is heard.",
                fix: "give user and password in --redis or --redis-password-file, the same for every server")
        case .unreachable where node.isLeftBehind: return nil
        case .unreachable(let text):
            let isReplica = node.role == .replica
            let effect =
                isReplica
                ? "When it returns and is promoted before Lapse has subscribed, its first expirations are missed."
                : "Nothing it announces is heard."
            return DoctorFinding(
                isReplica ? .warns : .breaks, "reachability", at: node.address,
                "\(node.isLockServer ? "lock server" : node.role.rawValue) does not answer", "\(text). \(effect)",
                fix: "start it, open its port to this machine, or map its announced address with --address-map")
        case .answered(let time):
            // As the elector's own patience with a register: see LeaseTiming.
            let patience = min(max(facts.leaseTTL / 16, .milliseconds(50)), .milliseconds(500))
            guard time > patience / 2, facts.storeRegisters == nil else { return nil }
            return DoctorFinding(
                .warns, "reachability", at: node.address, "slow to answer",
                "It took \(Wording.duration(time)) to answer a small command; a renewal of the lease counts only within "
                    + "\(Wording.duration(patience)).",
                fix: facts.command(on: node.address, "--latency"))
        }
    }

    private func silent(_ text: String) -> DoctorFinding {
        DoctorFinding(
            .warns, "reachability", "an address given does not answer",
            "\(text). Lapse runs on without it, but could not start from it.",
            fix: "correct it, or leave it out of --redis")
    }
}
