import LeaderElection

/// Everything that a run is made from. Drawn from a seed; a shrunk one has fewer faults and less
/// traffic.
package struct Schedule: Sendable {
    package enum Deployment: String, Sendable { case single, pair, cluster }

    package let seed: UInt64
    package var registers: Int
    package var replicas: Int
    package var deployment: Deployment
    /// Timers that will expire by themselves.
    package var traffic: Int
    package var faults: [PlannedFault]
    /// The faults end here; the rest of the run heals.
    package internal(set) var faultsEnd: Duration
    package internal(set) var situations: [Situation] = []
    package internal(set) var conditions = Conditions()

    /// - Parameters:
    ///   - situations: those of the run; nil draws none or one.
    ///   - choice: what to draw from.
    package init(
        seed: UInt64, situations wanted: [Situation]? = nil, drawingFrom choice: [Situation] = Situation.held
    ) {
        self.seed = seed
        // Neighbouring seeds of SplitMix64 would give shifted copies of one stream.
        var mix = RandomSource.seeded(seed)
        var random = RandomSource.seeded(mix.next() ^ 0xA5A5_1D1D_0F0F_3C3C)
        registers = [3, 3, 3, 3, 3, 3, 1, 5][random.pick(8)]
        replicas = [3, 3, 3, 3, 2, 4][random.pick(6)]
        deployment = [.single, .pair, .cluster][random.pick(3)]
        traffic = Int.random(in: 20...90, using: &random)
        faultsEnd = .seconds(9)
        faults = []
        for number in 0..<Int.random(in: 3...14, using: &random) {
            let at = random.milliseconds(300...8_500)
            faults.append(
                PlannedFault(
                    at: at,
                    fault: Self.draw(
                        registers: registers, replicas: replicas, nodes: deployment.nodes, &random),
                    number: number))
        }
        // A stream of its own: without a situation a seed is what it always was.
        var rough = RandomSource.seeded(mix.next() ^ 0x5E7A_11ED_0B5E_55ED)
        situations = wanted ?? Situation.drawn(from: choice, &rough)
        if wanted == nil, choice == Situation.held, seed % 10 == 5 {
            situations = [Situation.heldSince[Int(seed / 10) % Situation.heldSince.count]]
        }
        if wanted == nil, choice == Situation.held, seed % 10 == 4 {
            situations = [Situation.heldLately[Int(seed / 10) % Situation.heldLately.count]]
        }
        if wanted == nil, choice == Situation.held, seed % 20 == 9 {
            situations = [Situation.heldLast[Int(seed / 20) % Situation.heldLast.count]]
        }
        if wanted == nil, choice == Situation.held, seed % 10 == 8 { situations = [.poison] }
        if !situations.isEmpty { faults = faults.filter(\.fault.isPlain).prefix(rough.pick(5)).map(\.self) }
        for situation in situations { shape(situation, &rough) }
        if wanted == nil, choice == Situation.held, seed % 10 == 3 {
            var late = RandomSource.seeded(mix.next() ^ 0xBA7C_4E5B_A7C4_E5BA)
            shape(.batches, &late)
            situations.append(.batches)
        }
        // A situation may have chosen fewer servers.
        faults.removeAll { $0.fault.node >= deployment.nodes }
        faults.sort { $0.at < $1.at }
        for number in faults.indices { faults[number].number = number }
    }

    /// Only the faults of these numbers.
    package func only(_ numbers: [Int]) -> Schedule {
        var fewer = self
        fewer.faults = faults.filter { numbers.contains($0.number) }
        return fewer
    }

    private static func draw(
        registers: Int, replicas: Int, nodes: Int, _ random: inout RandomSource
    ) -> Fault {
        let replica = random.pick(replicas)
        let register = random.pick(registers)
        let node = random.pick(nodes)
        switch random.pick(40) {
        case 0...4: return .kill(replica: replica, away: random.milliseconds(50...3_000))
        case 5...8: return .pause(replica: replica, for: random.milliseconds(20...4_000))
        case 9...11: return .restart(replica: replica, away: random.milliseconds(20...1_500))
        case 12: return .resign(replica: replica)
        case 13: return .wakeUp(replica: replica)
        case 14:
            let by = Duration.seconds([-3600, -2, 3, 3600][random.pick(4)])
            return .wallClock(
                replica: replica, by: by, backAfter: random.chance(50) ? random.milliseconds(5...500) : nil)
        case 15...18:
            return .weather(badness: Int.random(in: 5...60, using: &random), for: random.milliseconds(200...3_000))
        case 19...21:
            let cut = Int.random(in: 1..<(1 << registers), using: &random)
            return .partition(replica: replica, registers: cut, for: random.milliseconds(100...4_000))
        case 22...23: return .registerRestart(register: register)
        case 24...25: return .registerDown(register: register, for: random.milliseconds(50...3_000))
        case 26: return .registerClock(register: register, by: random.milliseconds(-400 ... -10))
        case 27...29: return .feedCut(replica: replica, node: node)
        case 30: return .feedDeaf(replica: replica, node: node)
        case 31: return .allFeedsCut(node: node, for: random.milliseconds(50...2_000))
        case 32...33: return .nodeRestart(node: node, away: random.milliseconds(50...2_500))
        case 34...35: return .nodeFrozen(node: node, for: random.milliseconds(100...4_000))
        case 36: return .counterReset(node: node)
        case 37: return .burst(node: node, count: Int.random(in: 10...60, using: &random))
        default:
            return .handlers(
                failing: Int.random(in: 0...60, using: &random), slower: random.milliseconds(0...400),
                for: random.milliseconds(300...3_000))
        }
    }
}

extension Schedule.Deployment {
    /// Servers: a lone master; a master and its replica; three masters of a cluster.
    var nodes: Int {
        switch self {
        case .single: 1
        case .pair: 2
        case .cluster: 3
        }
    }
}
