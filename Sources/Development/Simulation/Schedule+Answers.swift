import LeaderElection

/// Situations of answers that are no, late, or do not come.
extension Schedule {
    mutating func refusedTelling(_ random: inout RandomSource) {
        faults = []
        let node = deployment == .pair ? 0 : random.pick(deployment.nodes)
        if random.chance(50) { refusedBase(node, &random) } else { refusedAnswers(node, &random) }
    }

    /// Followers find out about a reset that the leader does not hear, and their first word of it is
    /// refused. The leader comes back once they have had time to mark the stream and to tell it again: a
    /// stream is marked every five seconds at most.
    private mutating func refusedBase(_ node: Int, _ random: inout RandomSource) {
        let at = random.milliseconds(2_400...3_200)
        let back = random.milliseconds(8_700...8_900)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: back - at))
        plan(at, .refuseFirstTries(for: back - at))
        plan(at + .milliseconds(50), .burst(node: node, count: Int.random(in: 5...20, using: &random)))
        plan(at + random.milliseconds(800...1_300), .counterReset(node: node))
        // Around its return: it comes back within a second.
        for time in [-50, 100, 250] {
            plan(back + .milliseconds(time), .burst(node: node, count: Int.random(in: 4...8, using: &random)))
        }
    }

    /// The leader asks about a hole, and each word of it is refused once. So long that it is also the
    /// leader's second question, if the first one came to nothing.
    private mutating func refusedAnswers(_ node: Int, _ random: inout RandomSource) {
        let at = random.milliseconds(1_500...2_500)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: random.milliseconds(400...1_500)))
        plan(at, .refuseFirstTries(for: .seconds(14)))
        plan(at + .milliseconds(50), .burst(node: node, count: Int.random(in: 10...40, using: &random)))
    }

    /// The lock is given back while all others wait for the answer to their first try: the next try wins.
    /// One register, as in etcd and Consul.
    mutating func lateRefusal(_ random: inout RandomSource) {
        registers = 1
        for round in 0..<3 {
            let at = random.milliseconds(1_500...2_000) + .milliseconds(2_500) * round
            plan(at - .milliseconds(150), .lateRefusals(for: .milliseconds(600)))
            for replica in 0..<replicas { plan(at - random.milliseconds(10...110), .wakeUp(replica: replica)) }
            if random.chance(70) {
                plan(at, .resign(replica: Fault.leader))
            } else {
                plan(at, .restart(replica: Fault.leader, away: random.milliseconds(100...900)))
            }
        }
    }

    /// From so early on, and for so long, that what a leader hears without a mark is told of meanwhile.
    mutating func swallowedMarks(_ random: inout RandomSource) {
        let at = random.milliseconds(800...1_200)
        let node = deployment == .pair ? 0 : random.pick(deployment.nodes)
        plan(at, .swallowMarks(replica: Fault.leader, node: node, for: random.milliseconds(10_000...11_000)))
        for second in [2_000, 5_000] {
            let count = Int.random(in: 5...20, using: &random)
            plan(random.milliseconds(second...second + 2_000), .burst(node: node, count: count))
        }
    }

    /// No Sentinel is in reach for twice as long as a log keeps an expiration. The master is frozen
    /// meanwhile, for longer than a ping may stay unanswered; in half of the runs its replica is promoted.
    mutating func noSentinels(_ random: inout RandomSource) {
        deployment = .pair
        conditions.logAge = .seconds(10)
        faults = []
        faultsEnd = .seconds(24)
        traffic = 90
        plan(.milliseconds(1_500), .sentinelsAway(promote: random.chance(50), for: .seconds(20)))
        plan(random.milliseconds(3_000...5_000), .nodeFrozen(node: 0, for: random.milliseconds(2_900...3_800)))
        for second in [4_000, 10_000, 14_000] {
            let count = Int.random(in: 5...20, using: &random)
            plan(random.milliseconds(second...second + 3_000), .burst(node: 0, count: count))
        }
    }
}
