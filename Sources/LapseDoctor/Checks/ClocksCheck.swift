import RedisClient

/// The servers' wall clocks agree to within what the lease allows for: an expiry is replicated as a
/// time of day.
struct ClocksCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let clocks = facts.answering.compactMap { node in node.clock.map { (node: node, clock: $0) } }
        guard clocks.count > 1 else { return [] }
        // The middle one is right: most servers keep time.
        let middle = clocks.map(\.clock).sorted { $0.offset < $1.offset }[(clocks.count - 1) / 2]
        return clocks.compactMap { node, clock in
            let difference = clock.offset - middle.offset
            // What the network may have added is not held against a server.
            let certain =
                (difference < .zero ? .zero - difference : difference) - clock.uncertainty - middle.uncertainty
            guard certain > facts.drift else { return nil }
            return DoctorFinding(
                .warns, "clocks", at: node.address,
                "the clock is \(Wording.duration(difference < .zero ? .zero - difference : difference)) "
                    + (difference < .zero ? "behind" : "ahead"),
                "The lease allows for \(Wording.duration(facts.drift)). After a failover to or from this server a lease ends "
                    + "that much too early or too late, and so do all keys.",
                fix: "on \(node.address.host): chronyc makestep (and keep chronyd or ntpd running)")
        }
    }
}
