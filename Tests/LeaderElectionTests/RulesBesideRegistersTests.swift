import LeaderElection
import LeaderElectionRedis
import Testing
import Timing

/// Five masters of one deployment, the rules on three of them, and two replicas with other numbers of
/// registers, each cut off from some masters now and then.
@Suite struct RulesBesideRegistersTests {
    private static let withRules = [0, 2, 4]

    private struct Held {
        var by: Int
        var until: Duration
    }

    /// All replicas share the register on the master in the middle, and no other.
    private struct Master {
        var signed: [Duration] = [.zero, .zero]
        var votes: [Int: Held] = [:]

        mutating func sign(_ replica: Int, until end: Duration, at now: Duration) -> GroupRules.Answer {
            if now < signed[1 - replica] { return .taken(by: MemberID(id: "\(1 - replica)"), terms: "other") }
            signed[replica] = end
            return .signed([])
        }

        /// Returns whether the vote is this replica's.
        mutating func vote(_ replica: Int, in register: Int, until end: Duration, at now: Duration) -> Bool {
            if let held = votes[register], held.by != replica, now < held.until { return false }
            votes[register] = Held(by: replica, until: end)
            return true
        }
    }

    private struct Replica {
        /// The masters of its registers.
        let registers: [Int]
        /// Its clock's time in one second of the masters'.
        let pace: Double
        var standing = GroupRules.Standing()
        var leadsUntil: Duration?
        var away: Set<Int> = []

        func time(_ now: Duration) -> Duration { now * pace }
        func leads(at now: Duration) -> Bool { leadsUntil.map { time(now) < $0 } ?? false }
    }

    private struct World {
        let life: GroupRules.Life
        let lease: Duration
        var masters = Array(repeating: Master(), count: 5)
        var replicas: [Replica]
        var now = Duration.seconds(10)

        mutating func look(_ index: Int) {
            let sentAt = replicas[index].time(now)
            let answers = withRules.map { master -> GroupRules.Answer? in
                replicas[index].away.contains(master)
                    ? .failed("away") : masters[master].sign(index, until: now + life.signature, at: now)
            }
            let verdict = GroupRules.verdict(answers)
            replicas[index].standing.take(verdict, sentAt: sentAt, life: life)
            // A signature beside the other's would keep it out in turn.
            guard case .refused = verdict, replicas[index].standing.mayWithdraw(at: sentAt) else { return }
            for master in withRules where !replicas[index].away.contains(master) {
                masters[master].signed[index] = .zero
            }
        }

        /// Cuts a replica off from some masters, the other from the rest, or neither.
        mutating func cut(_ index: Int, _ random: inout RandomSource) {
            let away = Set((0..<5).filter { _ in Bool.random(using: &random) })
            switch Int.random(in: 0..<4, using: &random) {
            case 0: replicas[index].away = away
            case 1:
                replicas[index].away = away
                replicas[1 - index].away = Set(0..<5).subtracting(away)
            default: replicas[index].away = []
            }
        }

        mutating func askForVotes(_ index: Int) {
            var votes = 0
            var refused = false
            let (mine, registers) = (replicas[index].time(now), replicas[index].registers)
            for master in registers where !replicas[index].away.contains(master) {
                let register = master == 2 ? 0 : registers.count
                if masters[master].vote(index, in: register, until: now + lease, at: now) {
                    votes += 1
                } else {
                    refused = true
                }
            }
            if votes > registers.count / 2, !refused { replicas[index].leadsUntil = mine + lease }
        }
    }

    /// - Parameter heeds: whether a term ends when its rules are held no more.
    /// - Returns: how many terms began, and at how many steps two led.
    private func run(_ counts: [[Int]], lease: Duration, seed: UInt64, heeds: Bool) -> (terms: Int, doubles: Int) {
        var random = RandomSource.seeded(seed)
        let paces = [0.995, 1.005].shuffled(using: &random)
        var world = World(
            life: GroupRules.Life(lease: lease), lease: lease,
            replicas: zip(counts, paces).map { Replica(registers: $0, pace: $1) })
        var (terms, doubles) = (0, 0)
        for _ in 0..<8_000 {
            world.now += lease / Int.random(in: 10...40, using: &random)
            let index = Int.random(in: 0...1, using: &random)
            if Int.random(in: 0..<100, using: &random) == 0 { world.cut(index, &random) }
            if Bool.random(using: &random) { world.look(index) }
            let led = world.replicas[index].leads(at: world.now)
            let mine = world.replicas[index].time(world.now)
            let standing = world.replicas[index].standing
            let verdict = standing.verdict(at: mine)
            let isRefused = if case .refused = verdict { true } else { false }
            let mayGoOn = heeds ? standing.isHeld(at: mine) : !isRefused
            if led ? mayGoOn : verdict == .agreed { world.askForVotes(index) }
            if !led, world.replicas[index].leads(at: world.now) { terms += 1 }
            if world.replicas.allSatisfy({ $0.leads(at: world.now) }) { doubles += 1 }
        }
        return (terms, doubles)
    }

    private static let registers = [[[0, 1, 2, 3, 4], [0, 2, 4]], [[0, 1, 2, 3, 4], [2]], [[0, 2, 4], [2]]]

    @Test(arguments: registers, [Duration.milliseconds(200), .seconds(8)])
    func twoNeverLead(counts: [[Int]], lease: Duration) {
        var terms = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            let (began, doubles) = run(counts, lease: lease, seed: seed, heeds: true)
            terms += began
            #expect(doubles == 0, "two lead, seed \(seed)")
        }
        #expect(terms > 40, "the rules changed hands: \(terms)")
    }

    /// What the rules are for: a majority of the registers does not keep others' rules out.
    @Test(arguments: registers) func votesAloneDoNotKeepOthersOut(counts: [[Int]]) {
        let doubles = (1...20).map { run(counts, lease: .seconds(8), seed: $0, heeds: false).doubles }
        #expect(doubles.reduce(0, +) > 0)
    }
}
