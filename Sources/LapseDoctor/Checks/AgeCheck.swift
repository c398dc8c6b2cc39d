/// A server younger than the lease gives no vote: it may have forgotten one.
struct AgeCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.registerNodes.compactMap { node in
            guard let uptime = node.uptime, uptime < facts.leaseTTL else { return nil }
            return DoctorFinding(
                .notes, "age", at: node.address, "younger than the lease",
                "It started \(Wording.duration(uptime)) ago and gives its vote after \(Wording.duration(facts.leaseTTL)): "
                    + "it may have forgotten one. This passes.")
        }
    }
}
