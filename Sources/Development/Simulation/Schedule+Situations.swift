import LeaderElection

extension Situation {
    /// Those that every seed may have. The others are being mended: the tests show that each is found.
    package static let held: [Situation] = [
        .staleView, .slowFeed, .failoverInBurst, .movingSlots, .longHandlers, .deadMaster, .rollingRestart,
        .smallAnswers,
        .hotKey, .stalePromotion, .otherRules, .unreadableProgress, .damagedProgress, .lateWord, .deafLeader,
        .hostileMessages, .alias, .foreignNode, .unheardReset,
    ]

    /// Came later: every tenth seed has one of these. So the others are what they always were.
    package static let heldSince: [Situation] = [.ownLocks, .stuckSlots]

    /// Came later still: another tenth.
    package static let heldLately: [Situation] = [.refusedTelling, .lateRefusal, .swallowedMarks]

    /// The last ones: every twentieth seed has one of these.
    package static let heldLast: [Situation] = [.fullStore, .halfHeardReset, .otherLease, .silentTakeover]

    /// None, or one of these: two at once have not been made green yet.
    static func drawn(from all: [Situation], _ random: inout RandomSource) -> [Situation] {
        all.isEmpty || random.chance(40) ? [] : [all[random.pick(all.count)]]
    }
}

/// What a situation needs: the servers, what is bounded more tightly, and the faults that make it.
extension Schedule {
    mutating func shape(_ situation: Situation, _ random: inout RandomSource) {
        switch situation {
        case .staleView: staleView(&random)
        case .slowFeed: slowFeed(&random)
        case .failoverInBurst: failoverInBurst(&random)
        case .silentCounter:
            for _ in 0..<3 {
                add(1_500...7_000, &random) { .countedOnly(node: $0, count: Int.random(in: 1...5, using: &$1)) }
            }
        case .fullStore: fullStore(&random)
        case .unreadableProgress: conditions.mayNoteMembers = false
        case .damagedProgress: damagedProgress(&random)
        case .alias:
            deployment = .single
            conditions.hasAlias = true
            for _ in 0..<3 { add(1_000...8_000, &random) { .feedCut(replica: $1.pick(3), node: $0) } }
        case .foreignNode:
            deployment = .cluster
            add(1_000...5_000, &random) { .foreign(node: $0, for: $1.milliseconds(500...3_000)) }
        case .hotKey: hotKey(&random)
        case .hostileMessages: hostileMessages(&random)
        case .unheardReset: unheardReset(&random)
        case .halfHeardReset: halfHeardReset(&random)
        case .deadMaster: deadMaster(&random)
        case .deafLeader: deafLeader(&random)
        case .rollingRestart: rollingRestart(&random)
        case .longHandlers: longHandlers(&random)
        case .movingSlots: movingSlots(&random)
        case .smallAnswers: smallAnswers(&random)
        case .stalePromotion: stalePromotion(&random)
        case .lateWord: lateWord(&random)
        case .otherRules: otherRules(&random)
        case .ownLocks: ownLocks(&random)
        case .stuckSlots: stuckSlots(&random)
        case .stoppedQuestion: stoppedQuestion(&random)
        case .refusedTelling: refusedTelling(&random)
        case .lateRefusal: lateRefusal(&random)
        case .swallowedMarks: swallowedMarks(&random)
        case .noSentinels: noSentinels(&random)
        case .silentTakeover: silentTakeover(&random)
        case .otherLease: otherLease(&random)
        case .lapsedMidTerm: lapsedMidTerm(&random)
        case .batches: batches(&random)
        case .poison: poison(&random)
        }
    }

    /// Plans a fault of a node drawn, at a time drawn from these milliseconds.
    mutating func add(
        _ times: ClosedRange<Int>, _ random: inout RandomSource, _ fault: (Int, inout RandomSource) -> Fault
    ) {
        let node = random.pick(deployment.nodes)
        plan(random.milliseconds(times), fault(node, &random))
    }

    mutating func plan(_ time: Duration, _ fault: Fault) {
        faults.append(PlannedFault(at: min(time, faultsEnd), fault: fault, number: 0))
    }

    private mutating func staleView(_ random: inout RandomSource) {
        deployment = .pair
        conditions.viewLag = 300...6_000
        let at = random.milliseconds(800...4_000)
        plan(at, .nodeRestart(node: 0, away: random.milliseconds(3_000...6_000)))
        plan(at + random.milliseconds(2_000...4_000), .burst(node: 0, count: Int.random(in: 5...30, using: &random)))
    }

    private mutating func slowFeed(_ random: inout RandomSource) {
        let at = random.milliseconds(1_500...4_500)
        let node = random.pick(deployment.nodes)
        plan(at, .slowFeed(node: node, gap: random.milliseconds(40...120), for: random.milliseconds(500...2_000)))
        plan(at + .milliseconds(20), .burst(node: node, count: Int.random(in: 20...60, using: &random)))
    }

    private mutating func failoverInBurst(_ random: inout RandomSource) {
        deployment = .pair
        let at = random.milliseconds(1_500...4_500)
        plan(at, .slowFeed(node: 0, gap: random.milliseconds(30...60), for: random.milliseconds(200...700)))
        plan(at + .milliseconds(20), .burst(node: 0, count: Int.random(in: 20...50, using: &random)))
        plan(at + random.milliseconds(50...1_500), .failover(shard: 0))
    }

    private mutating func fullStore(_ random: inout RandomSource) {
        let at = random.milliseconds(2_000...4_000)
        let time = random.milliseconds(2_500...5_000)
        plan(at, .refuseWrites(registers: (1 << registers) - 1, for: time))
        plan(at + time - random.milliseconds(0...600), .kill(replica: Fault.leader, away: .seconds(1)))
    }

    private mutating func damagedProgress(_ random: inout RandomSource) {
        for _ in 0..<2 {
            let at = random.milliseconds(1_500...7_000)
            plan(at, .damage(register: random.pick(registers), text: random.pick(SimulatedRegister.damages.count)))
            plan(at + random.milliseconds(1...400), .kill(replica: Fault.leader, away: random.milliseconds(50...900)))
        }
    }

    private mutating func hotKey(_ random: inout RandomSource) {
        conditions.pendingLimit = 32
        conditions.hasPlainKeysOnly = true
        faults = []
        add(1_500...4_000, &random) { .storm(node: $0, count: Int.random(in: 60...120, using: &$1)) }
    }

    private mutating func hostileMessages(_ random: inout RandomSource) {
        for _ in 0..<Int.random(in: 3...12, using: &random) {
            add(800...8_000, &random) { .publish(word: $1.pick(100 + $0)) }
        }
        if random.chance(50) {
            add(2_000...6_000, &random) { .forge(node: $0, count: Int.random(in: 1...8, using: &$1)) }
        }
    }

    private mutating func ownLocks(_ random: inout RandomSource) {
        for second in [2_000, 6_500] where random.chance(80) {
            let at = random.milliseconds(second...second + 1_000)
            switch random.pick(3) {
            case 0: plan(at, .outage(isGraceful: false, for: random.milliseconds(1_500...3_500)))
            case 1: plan(at, .outage(isGraceful: true, for: random.milliseconds(500...1_500)))
            default: plan(at, .kill(replica: Fault.leader, away: random.milliseconds(100...2_500)))
            }
        }
        add(2_000...8_500, &random) { .allFeedsCut(node: $0, for: $1.milliseconds(50...800)) }
        add(2_000...8_500, &random) { .burst(node: $0, count: Int.random(in: 5...20, using: &$1)) }
    }

    private mutating func stuckSlots(_ random: inout RandomSource) {
        conditions.pendingLimit = 32
        for _ in 0..<2 {
            plan(random.milliseconds(1_000...6_000), .stuckSlots(for: random.milliseconds(500...3_000)))
        }
        add(1_500...6_500, &random) { .burst(node: $0, count: Int.random(in: 20...60, using: &$1)) }
    }

    private mutating func unheardReset(_ random: inout RandomSource) {
        let at = random.milliseconds(3_500...6_000)
        let time = random.milliseconds(300...1_500)
        plan(at, .outage(isGraceful: random.chance(60), for: time))
        plan(at + time / 2, .counterReset(node: random.pick(deployment.nodes)))
    }

    private mutating func halfHeardReset(_ random: inout RandomSource) {
        let node = random.pick(deployment.nodes)
        let at = random.milliseconds(2_500...6_000)
        let time = random.milliseconds(200...2_500)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: time))
        let within = at + time * (Double(random.pick(80) + 10) / 100)
        if random.chance(60) {
            plan(within, .counterReset(node: node))
        } else {
            plan(within, .forge(node: node, count: Int.random(in: 1...6, using: &random)))
        }
        if random.chance(50) { plan(within + .milliseconds(30), .burst(node: node, count: 8)) }
    }

    private mutating func deadMaster(_ random: inout RandomSource) {
        deployment = .pair
        let at = random.milliseconds(1_500...4_500)
        plan(at, .feedRefused(replica: Fault.leader, node: 0, for: random.milliseconds(3_000...8_000)))
        plan(at + .milliseconds(50), .burst(node: 0, count: Int.random(in: 5...20, using: &random)))
        plan(at + random.milliseconds(300...2_500), .nodeDies(node: 0))
    }

    private mutating func deafLeader(_ random: inout RandomSource) {
        shortLog()
        let node = random.pick(deployment.nodes)
        let at = random.milliseconds(1_000...2_500)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: random.milliseconds(4_500...6_500)))
        plan(at + random.milliseconds(50...900), .burst(node: node, count: Int.random(in: 5...20, using: &random)))
    }

    private mutating func rollingRestart(_ random: inout RandomSource) {
        faults = []
        let at = random.milliseconds(1_500...2_500)
        plan(at, .handlers(failing: 0, slower: random.milliseconds(300...900), for: .seconds(6)))
        add(1_500...2_500, &random) { .burst(node: $0, count: Int.random(in: 20...60, using: &$1)) }
        plan(at + random.milliseconds(200...1_200), .rollingRestart(gap: random.milliseconds(100...1_200)))
    }

    private mutating func longHandlers(_ random: inout RandomSource) {
        shortLog()
        faults = []
        let at = random.milliseconds(1_000...2_500)
        plan(at, .handlers(failing: random.pick(40), slower: random.milliseconds(2_200...4_000), for: .seconds(6)))
        let end = at + random.milliseconds(3_000...5_000)
        let away = random.milliseconds(50...900)
        if random.chance(50) {
            plan(end, .kill(replica: Fault.leader, away: away))
        } else {
            plan(end, .restart(replica: Fault.leader, away: away))
        }
    }

    /// Two seconds, and chunks so small that little lies in the last one, which stays whatever its age.
    private mutating func shortLog() {
        conditions.logAge = .seconds(2)
        conditions.logBytes = 16 << 10
    }

    private mutating func movingSlots(_ random: inout RandomSource) {
        deployment = .cluster
        faults = []
        conditions.hasPlainKeysOnly = true
        conditions.lookEvery = .milliseconds(80)
        conditions.pendingLimit = 4
        let at = random.milliseconds(1_000...2_000)
        plan(at, .handlers(failing: 0, slower: random.milliseconds(200...500), for: .seconds(6)))
        plan(at, .burst(node: 0, count: Int.random(in: 90...130, using: &random)))
        plan(at + random.milliseconds(100...600), .moveSlots(for: .seconds(6)))
    }

    private mutating func smallAnswers(_ random: inout RandomSource) {
        conditions.answerBytes = Int.random(in: 100...400, using: &random)
        let node = random.pick(deployment.nodes)
        let at = random.milliseconds(1_500...6_000)
        plan(at, .feedRefused(replica: Fault.leader, node: node, for: random.milliseconds(400...1_500)))
        plan(at + .milliseconds(50), .burst(node: node, count: Int.random(in: 20...60, using: &random)))
    }

    private mutating func stalePromotion(_ random: inout RandomSource) {
        registers = 3
        faults = []
        for round in 0..<3 {
            let at = Duration.milliseconds(1_500 + 2_400 * round)
            plan(at - .milliseconds(20), .weather(badness: 30, for: .milliseconds(500)))
            plan(at, .kill(replica: Fault.leader, away: random.milliseconds(50...600)))
            for _ in 0..<2 { plan(at + random.milliseconds(0...2_000), .wakeUp(replica: random.pick(replicas))) }
            let promotion = Fault.registerFailover(register: random.pick(registers), keepsVote: random.chance(50))
            plan(at + random.milliseconds(5...2_300), promotion)
        }
    }

    /// One replica misses what the leader handles; the leader's last word on it reaches one register, and
    /// another replica reads it there.
    private mutating func lateWord(_ random: inout RandomSource) {
        registers = 3
        replicas = 3
        faults = []
        for round in 0..<2 {
            let at = random.milliseconds(1_500...2_000) + .seconds(4) * round
            let node = random.pick(deployment.nodes)
            let follower = random.pick(replicas)
            plan(at, .feedRefused(replica: follower, node: node, for: random.milliseconds(100...400)))
            plan(at + .milliseconds(20), .burst(node: node, count: Int.random(in: 3...10, using: &random)))
            let reachable = random.pick(3)
            let cut = at + random.milliseconds(20...300)
            plan(cut, .partition(replica: Fault.leader, registers: 7 & ~(1 << reachable), for: .seconds(1)))
            plan(cut, .partition(replica: follower, registers: 1 << reachable, for: .seconds(3)))
            plan(
                cut + random.milliseconds(250...800), .kill(replica: Fault.leader, away: random.milliseconds(50...500)))
        }
    }

    private mutating func otherRules(_ random: inout RandomSource) {
        registers = 3
        replicas = 3
        faults = []
        conditions.hasStranger = true
        for _ in 0..<3 {
            add(1_500...8_000, &random) { _, random in .restart(replica: random.pick(3), away: .seconds(1)) }
        }
    }
}
