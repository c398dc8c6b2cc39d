import LeaderElection

/// Situations around the change of terms.
extension Schedule {
    /// Each replica finds out at its own mark, up to three seconds later: what it hears until then it
    /// numbers as if nothing had been counted. The leader dies before that, between two of them, or after.
    mutating func silentTakeover(_ random: inout RandomSource) {
        faults = []
        deployment = random.chance(60) ? .single : .cluster
        conditions.hasPlainKeysOnly = true
        let node = random.pick(deployment.nodes)
        for second in [1_500, 5_500] {
            let at = random.milliseconds(second...second + 1_000)
            plan(at, .countedOnly(node: node, count: Int.random(in: 1...8, using: &random)))
            for _ in 0..<6 {
                let count = Int.random(in: 1...4, using: &random)
                plan(at + random.milliseconds(10...3_500), .burst(node: node, count: count))
            }
            plan(
                at + random.milliseconds(50...3_800), .kill(replica: Fault.leader, away: random.milliseconds(50...900)))
        }
    }

    mutating func otherLease(_ random: inout RandomSource) {
        faults = []
        replicas = 3
        let lengths = [Duration.seconds(2), .seconds(3), .seconds(4)]
        let first = random.pick(lengths.count)
        let other = lengths[(first + 1 + random.pick(lengths.count - 1)) % lengths.count]
        conditions.lease = lengths[first]
        if random.chance(60) { otherLeaseInTurn(other, &random) } else { otherLeaseBeside(other, &random) }
    }

    /// Every replica restarts with another lease, while the leader has a backlog.
    private mutating func otherLeaseInTurn(_ lease: Duration, _ random: inout RandomSource) {
        conditions.laterLease = lease
        let at = random.milliseconds(1_500...2_500)
        plan(at, .handlers(failing: 0, slower: random.milliseconds(100...600), for: .seconds(6)))
        add(1_500...2_500, &random) { .burst(node: $0, count: Int.random(in: 20...60, using: &$1)) }
        let begin = at + random.milliseconds(200...1_200)
        plan(begin, .rollingRestart(gap: random.milliseconds(100...1_200)))
        guard random.chance(40) else { return }
        plan(
            begin + random.milliseconds(200...3_000),
            .kill(replica: Fault.leader, away: random.milliseconds(50...900)))
    }

    /// The first replica has a register of its own, and reaches only that one for longer than what it
    /// signed stands: it goes on renewing its lease as long as it may.
    private mutating func otherLeaseBeside(_ lease: Duration, _ random: inout RandomSource) {
        registers = 4
        faultsEnd = .seconds(15)
        let lease = min(lease, .seconds(3))
        conditions.hasStranger = true
        conditions.strangerLease = lease
        let at = random.milliseconds(1_000...2_500)
        plan(at, .partition(replica: 0, registers: 0b0111, for: lease * 3 + random.milliseconds(500...3_000)))
        // They want to lead as soon as they may.
        for step in 0..<20 {
            let late = Duration.milliseconds(100 * step) + random.milliseconds(0...99)
            plan(at + lease * 2.5 + late, .wakeUp(replica: 1 + step % 2))
        }
        for _ in 0..<2 {
            plan(
                random.milliseconds(1_500...13_000),
                .restart(replica: 1 + random.pick(2), away: random.milliseconds(500...4_000)))
        }
    }

    mutating func lapsedMidTerm(_ random: inout RandomSource) {
        faults = []
        registers = 3
        for second in [1_800, 5_800] {
            let at = random.milliseconds(second...second + 1_000)
            plan(at, .lockUnheard(register: random.pick(3)))
        }
    }
}
