import Lapse
import LeaderElection
import NIOCore
import RESP
import RedisClient

/// Registers, Redis servers, replicas and the network between them, in one process with a clock of its
/// own.
///
/// The replicas decide by the product's own values; here is only what lies around them, and the account
/// that everything is held against. All randomness comes from the seed: the same schedule is the same
/// run, step by step.
package final class SimulatedWorld {
    package let schedule: Schedule
    let defect: Defect?
    let allowances: Set<Allowance>
    package internal(set) var now: Duration = .zero
    var random: RandomSource
    private var queue = EventQueue<() -> Void>()
    var registers: [SimulatedRegister]
    var nodes: [SimulatedNode] = []
    var shards: [Shard] = []
    /// The present life in each place.
    var replicas: [Replica] = []
    var lives = 0
    var ledger = Ledger()
    var network = Network()
    var handlers = HandlerMood()
    /// What peers have answered and the asker has not taken, by the name of the question.
    var answers: [String: AnswerList] = [:]
    /// Until when each asker's answers may be put.
    var accounts: [String: Duration] = [:]
    var timersPlanned = 0
    var lastNodeTrouble: Duration = .seconds(-100)
    var lastRegisterFault: Duration = .seconds(-100)
    /// How far slots have moved.
    var slotsMoved = 0
    /// Until when what is asked about a key of half of the slots is answered by TRYAGAIN.
    var stuckUntil: Duration = .zero
    var isHealed = false
    var ledAfterHealing = false
    /// One reader serves every feed: each message is whole.
    var reader = ReplyReader()
    package internal(set) var trace = Trace()

    static let lanes = 3
    static let rules = "rules"
    let timing: LeaseTiming
    let filter: KeyFilter
    let companionRules: CompanionRules

    package init(
        _ schedule: Schedule, defect: Defect? = nil, allowing: Set<Allowance> = Set(Allowance.allCases),
        recording: Bool = false
    ) throws {
        allowances = allowing
        self.schedule = schedule
        self.defect = defect
        trace = Trace(isRecording: recording)
        var mix = RandomSource.seeded(schedule.seed ^ 0x5EED)
        random = .seeded(mix.next())
        timing = try LeaseTiming(ttl: schedule.conditions.lease)
        companionRules = try CompanionRules(["c:* => d:*"])
        filter = KeyFilter(match: ["k:*", "c:*"], ignore: [], databases: [0], companions: companionRules)
        registers = (0..<schedule.registers).map { _ in SimulatedRegister() }
        for index in registers.indices {
            registers[index].clockRate = rate()
            // A register that lost its counter goes on from its clock: no assumption, no fence, if the clocks of
            // the registers stand further apart than a lease.
            registers[index].clockOffset = random.milliseconds(-200...200)
            registers[index].renewsForAnyone = defect == .renewWithoutOwnerCheck
            registers[index].leavesTermsUncounted = defect == .termsUncounted
            registers[index].mayNoteMembers = schedule.conditions.mayNoteMembers
        }
        buildNodes()
        for place in 0..<schedule.replicas {
            let clock = ReplicaClock(rate: rate(), monotonicOffset: random.milliseconds(0...1_000_000))
            replicas.append(try makeReplica(place, clock))
        }
        ledger.registers = schedule.registers
    }

    /// Within half of the drift that the lease allows for.
    private func rate() -> Double { 1 + Double(Int.random(in: -45...45, using: &random)) / 10_000 }

    var conditions: Conditions { schedule.conditions }

    /// Whether the run is about this.
    func judges(_ situation: Situation) -> Bool { schedule.situations.contains(situation) }

    // MARK: - Time

    /// Something that happens in the world.
    func after(_ delay: Duration, _ action: @escaping () -> Void) { queue.plan(action, at: now + delay) }

    /// Something that a replica does: not while it is stopped, and never in a later life.
    func after(_ delay: Duration, in replica: Replica, _ action: @escaping () -> Void) {
        queue.plan({ [unowned self] in self.perform(in: replica, action) }, at: now + delay)
    }

    func perform(in replica: Replica, _ action: @escaping () -> Void) {
        guard replica.isAlive else { return }
        if replica.pausedUntil != nil { replica.deferred.append(action) } else { action() }
    }

    /// Runs the schedule to its end; returns the first invariant that was broken, if one was.
    package func run() -> Violation? {
        for replica in replicas { after(random.milliseconds(0...300)) { [unowned self] in self.start(replica) } }
        planTraffic()
        planPoison()
        for planned in schedule.faults {
            after(planned.at) { [unowned self] in
                trace.note("fault", planned.number)
                happen(planned.fault)
            }
        }
        after(schedule.faultsEnd) { [unowned self] in heal() }
        // Each of its leaders costs a lease, and the next one's caution.
        let end = schedule.faultsEnd + .seconds(16 + 30 * conditions.poisonousKeys)
        while ledger.violation == nil, let time = queue.nextTime, time <= end, let next = queue.next() {
            now = max(now, time)
            ledger.now = now
            trace.now = now
            next.element()
            checkLeaders()
            if isHealed, ledger.isDone { break }
        }
        if ledger.violation == nil, !ledger.isDone { finalCheck() }
        queue = EventQueue()
        // Feeds and connections know each other: a long series of runs would keep them all.
        for replica in replicas { replica.letGo() }
        return ledger.violation
    }
}

/// What the network does to messages at the moment.
struct Network {
    var badness = 0
    var badUntil: Duration = .zero
    /// Registers that a replica's place cannot reach.
    var partitions: [(place: Int, registers: Int, until: Duration)] = []
    /// Subscriptions of a replica's place that a node refuses.
    var refusedFeeds: [(place: Int, node: Int, until: Duration)] = []
    /// Until when first tries are refused, and what has been tried.
    var firstTriesRefusedUntil: Duration = .zero
    /// No replica reaches a Sentinel until then, and whether they promote all the same.
    var sentinelsAwayUntil: Duration = .zero
    var sentinelsPromote = true
    var tried: Set<String> = []
    /// Since when no register refuses to write.
    var takesWritesSince: Duration = .zero
    /// Until when registers answer refusals late.
    var refusalsLateUntil: Duration = .zero
    /// Relays between a replica's place and a node that swallow its marks.
    var relays: [(place: Int, node: Int, until: Duration)] = []
    /// The last time at which a message was or could have been lost.
    var lastTrouble: Duration = .seconds(-100)
}

/// How handlers behave at the moment.
struct HandlerMood {
    var failing = 0
    var slower: Duration = .zero
    var until: Duration = .zero
}

/// What happened, as a number to compare runs by, and as text when it is wanted.
package struct Trace: Sendable {
    package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    package private(set) var steps = 0
    package private(set) var lines: [String] = []
    private let isRecording: Bool
    var now: Duration = .zero

    init(isRecording: Bool = false) { self.isRecording = isRecording }

    /// - Parameter words: for the reader of a recorded run.
    mutating func note(
        _ what: StaticString, _ subject: Int, _ detail: UInt64 = 0, _ words: @autoclosure () -> String = ""
    ) {
        steps += 1
        mix(UInt64(what.utf8CodeUnitCount))
        mix(UInt64(bitPattern: Int64(subject)))
        mix(detail)
        mix(UInt64(bitPattern: now.components.attoseconds))
        if isRecording { lines.append("\(now) \(what) \(subject) \(detail) \(words())") }
    }

    private mutating func mix(_ word: UInt64) { digest = (digest ^ word) &* 0x100_0000_01b3 }
}
