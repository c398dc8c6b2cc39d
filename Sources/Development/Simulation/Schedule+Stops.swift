import LeaderElection

/// Situations of processes that are stopped.
extension Schedule {
    /// The leader has missed what the follower heard. That one is stopped when it is asked, and answers
    /// when the leader is stopped in its turn, for longer than answers are kept and for less than its
    /// lease.
    mutating func stoppedQuestion(_ random: inout RandomSource) {
        replicas = 2
        faults = []
        deployment = random.chance(50) ? .single : .cluster
        faultsEnd = .seconds(19)
        conditions.lease = .seconds(30)
        let node = random.pick(deployment.nodes)
        let at = random.milliseconds(1_500...3_000)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: random.milliseconds(300...600)))
        plan(at + .milliseconds(20), .burst(node: node, count: Int.random(in: 3...20, using: &random)))
        let (heard, stop) = (at + .milliseconds(150), at + random.milliseconds(2_200...2_600))
        plan(heard, .pause(replica: Fault.follower, for: stop - heard + random.milliseconds(300...800)))
        plan(stop, .pause(replica: Fault.leader, for: random.milliseconds(11_500...12_500)))
    }
}
