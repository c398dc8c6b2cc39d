import LeaderElection

/// Situations of the handlers: batches, and keys that kill.
extension Schedule {
    /// Beside another situation only the handlers differ: a long stop would hide what that is to show.
    mutating func batches(_ random: inout RandomSource) {
        conditions.batchLimit = [4, 16, 256][random.pick(3)]
        for _ in 0..<2 { add(1_000...7_500, &random) { .burst(node: $0, count: Int.random(in: 10...60, using: &$1)) } }
        guard situations.isEmpty || situations == [.batches] else { return }
        let at = random.milliseconds(1_000...5_000)
        let failing = random.pick(40)
        plan(
            at, .handlers(failing: failing, slower: random.milliseconds(0...300), for: random.milliseconds(500...3_000))
        )
        for _ in 0..<2 {
            let stop = random.milliseconds(1_500...8_000)
            // Freezes and deaths in the middle of a batch: it begins when a burst comes.
            plan(stop, .burst(node: random.pick(deployment.nodes), count: Int.random(in: 10...40, using: &random)))
            let within = stop + random.milliseconds(10...200)
            if random.chance(60) {
                plan(within, .pause(replica: Fault.leader, for: random.milliseconds(1_800...4_000)))
            } else {
                plan(within, .kill(replica: Fault.leader, away: random.milliseconds(50...900)))
            }
        }
    }

    /// No other deaths: of those it is not known over what they came.
    mutating func poison(_ random: inout RandomSource) {
        conditions.poisonousKeys = random.pick(3) + 1
        if random.chance(40) { conditions.batchLimit = [4, 256][random.pick(2)] }
        faults.removeAll {
            switch $0.fault {
            case .burst, .feedCut, .wakeUp: false
            default: true
            }
        }
        add(1_500...7_500, &random) { .burst(node: $0, count: Int.random(in: 10...40, using: &$1)) }
        if random.chance(50) {
            let at = random.milliseconds(1_000...7_000)
            let failing = random.pick(50)
            plan(
                at,
                .handlers(failing: failing, slower: random.milliseconds(0...300), for: random.milliseconds(500...4_000))
            )
        }
    }
}
