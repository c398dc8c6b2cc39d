import LeaderElection
import Simulation

/// Candidates, registers and the network between them, in one value with a clock of its own. Everything
/// happens in an order that follows from the seed, and after every step the invariants of the election
/// are checked.
struct ElectionWorld {
    /// What becomes of one request on its way there and of its answer on the way back.
    struct Trip {
        var there: Duration
        var back: Duration
        var isLost = false
        var answerIsLost = false
        /// The connection is cut instead of an answer: the asker sees an error after `back`.
        var isCut = false
        var isDoubled = false
    }

    enum Happening {
        case arrives(LeaseMachine.Request, from: Int, incarnation: Int, Trip)
        case step(LeaseMachine.Event, at: Int, incarnation: Int)
        case timer(Int, number: Int)
        case bodyReturns(Int, term: UInt64)
        case act((inout ElectionWorld) -> Void)
    }

    var now: Duration = .zero
    var registers: [SimulatedRegister]
    var candidates: [Candidate] = []
    var random: RandomSource
    var queue = EventQueue<Happening>()
    /// Decides every trip; a fault is another rule.
    var network: (inout RandomSource, _ candidate: Int, LeaseMachine.Request) -> Trip = ElectionWorld.quietNetwork
    var wakeUpDelay: Duration? = .milliseconds(1)

    private(set) var violations: [String] = []
    private(set) var largestToken = FencingToken(rawValue: 0)
    private var confirmations: [String: Set<Int>] = [:]
    private var lapsedWhileRunning: Set<String> = []
    private(set) var beginnings: [(at: Duration, candidate: Int)] = []

    static func quietNetwork(_ random: inout RandomSource, _: Int, _: LeaseMachine.Request) -> Trip {
        Trip(
            there: .microseconds(Int.random(in: 100...900, using: &random)),
            back: .microseconds(Int.random(in: 100...900, using: &random)))
    }

    init(registers: Int, seed: UInt64 = 1) {
        self.registers = Array(repeating: SimulatedRegister(), count: registers)
        random = .seeded(seed)
    }

    // MARK: Building

    @discardableResult
    mutating func join(
        _ settings: LeaseMachine.Settings, body: Candidate.Body = .init(), asking map: [Int]? = nil
    ) -> Int {
        var candidate = Candidate(settings, seed: random.next())
        candidate.map = map
        candidate.body = body
        candidates.append(candidate)
        send(.start, to: candidates.count - 1)
        return candidates.count - 1
    }

    mutating func send(_ event: LeaseMachine.Event, to candidate: Int, after delay: Duration = .zero) {
        queue.plan(
            .step(event, at: candidate, incarnation: candidates[candidate].incarnation), at: now + delay)
    }

    mutating func after(_ delay: Duration, _ action: @escaping (inout ElectionWorld) -> Void) {
        queue.plan(.act(action), at: now + delay)
    }

    // MARK: Running

    mutating func run(for duration: Duration) {
        _ = run(for: duration) { _ in false }
    }

    /// Runs until `condition` holds; false if it did not within `duration`.
    mutating func run(for duration: Duration, until condition: (ElectionWorld) -> Bool) -> Bool {
        let end = now + duration
        while !condition(self) {
            guard let time = queue.nextTime, time <= end, let next = queue.next() else {
                now = end
                return condition(self)
            }
            now = max(now, time)
            happen(next.element)
            check()
        }
        return true
    }

    /// The candidate that may call handlers now.
    var leader: Int? {
        candidates.indices.first { candidates[$0].mayCallHandlers(at: now) }
    }

    private mutating func happen(_ happening: Happening) {
        switch happening {
        case .act(let action): action(&self)
        case .arrives(let request, let candidate, let incarnation, let trip):
            arrive(request, candidate, incarnation, trip)
        case .step(let event, let candidate, let incarnation):
            guard candidates[candidate].incarnation == incarnation else { return }
            step(event, candidate, happening)
        case .timer(let candidate, let number):
            guard candidates[candidate].timer == number else { return }
            step(.timer, candidate, happening)
        case .bodyReturns(let candidate, let term):
            guard candidates[candidate].running?.term == term else { return }
            if let resumed = pause(of: candidate) { return queue.plan(happening, at: resumed) }
            candidates[candidate].running = nil
            step(.bodyReturned(candidates[candidate].body.outcome), candidate, happening)
        }
    }

    /// The time until which a candidate is stopped.
    private func pause(of candidate: Int) -> Duration? {
        guard let until = candidates[candidate].pausedUntil, until > now else { return nil }
        return until
    }

    private mutating func step(_ event: LeaseMachine.Event, _ candidate: Int, _ happening: Happening) {
        guard candidates[candidate].isAlive else { return }
        if let resumed = pause(of: candidate) { return queue.plan(happening, at: resumed) }
        let reading = candidates[candidate].clock(now)
        for effect in candidates[candidate].machine.step(event, now: reading) {
            carryOut(effect, candidate)
        }
    }

    private mutating func arrive(_ request: LeaseMachine.Request, _ candidate: Int, _ incarnation: Int, _ trip: Trip) {
        let register = candidates[candidate].map?[request.register] ?? request.register
        guard !registers[register].isBlackHole else { return }
        var outcome: LeaseMachine.Outcome
        if registers[register].isDown {
            outcome = .failed(.unreachable("down"))
        } else {
            let wakes: Bool
            (outcome, wakes) = registers[register].apply(request.operation, at: now)
            noteConfirmation(request, outcome)
            if wakes, let delay = wakeUpDelay {
                for other in candidates.indices { send(.wakeUp, to: other, after: delay) }
            }
        }
        if trip.isCut { outcome = .failed(.unreachable("cut")) }
        guard !trip.answerIsLost, candidates[candidate].incarnation == incarnation else { return }
        for _ in 0..<(trip.isDoubled ? 2 : 1) {
            send(.answered(request, outcome), to: candidate, after: trip.back)
        }
    }

    private mutating func carryOut(_ effect: LeaseMachine.Effect, _ candidate: Int) {
        switch effect {
        case .send(let request):
            if case .acquire = request.operation { candidates[candidate].acquires += 1 }
            checkRelease(request.operation, candidate)
            let trip = network(&random, candidate, request)
            guard !trip.isLost else { return }
            queue.plan(
                .arrives(request, from: candidate, incarnation: candidates[candidate].incarnation, trip),
                at: now + trip.there)
        case .wake(let reading):
            candidates[candidate].timer += 1
            guard let reading else { return }
            let time = max(now, candidates[candidate].time(of: reading))
            queue.plan(.timer(candidate, number: candidates[candidate].timer), at: time)
        case .beginTerm(let info): begin(info, candidate)
        case .extendTerm(let window, _):
            candidates[candidate].leadership?.window = window
        case .drain:
            planReturn(of: candidate, after: candidates[candidate].body.afterDrain)
        case .endTerm(let reason):
            if candidates[candidate].leadership == nil { violate("a term ended that had not begun") }
            candidates[candidate].leadership = nil
            candidates[candidate].ends.append((now, reason))
            planReturn(of: candidate, after: candidates[candidate].body.afterCancel)
        case .note(let note): candidates[candidate].notes.append(note)
        case .stopped(let clean): candidates[candidate].stoppedClean = clean
        }
    }

    private mutating func planReturn(of candidate: Int, after delay: Duration?) {
        guard let delay, let running = candidates[candidate].running else { return }
        queue.plan(.bodyReturns(candidate, term: running.term), at: now + delay)
    }

    // MARK: Invariants

    private mutating func violate(_ text: String) {
        violations.append("at \(now): \(text)")
    }

    private mutating func begin(_ info: LeaseMachine.TermInfo, _ candidate: Int) {
        if candidates[candidate].running != nil { violate("\(candidate) began a term before its last body returned") }
        if info.token <= largestToken { violate("I2: token \(info.token) after \(largestToken)") }
        largestToken = max(largestToken, info.token)
        let majority = candidates[candidate].machine.settings.majority
        if info.token.rawValue == 0 || confirmations[info.claim.value, default: []].count < majority {
            violate("I7: term \(info.term) without a confirmed token")
        }
        beginnings.append((now, candidate))
        candidates[candidate].terms.append(info)
        candidates[candidate].running = info
        candidates[candidate].leadership = Candidate.Leadership(info: info, window: info.window)
        planReturn(of: candidate, after: candidates[candidate].body.lifetime)
    }

    private mutating func noteConfirmation(_ request: LeaseMachine.Request, _ outcome: LeaseMachine.Outcome) {
        guard outcome == .confirmed(true) else { return }
        confirmations[request.operation.claim.value, default: []].insert(request.register)
    }

    private mutating func checkRelease(_ operation: LeaseMachine.Operation, _ candidate: Int) {
        guard case .release(let claim, _) = operation else { return }
        if candidates[candidate].running?.claim == claim { violate("I4: released while the body runs") }
        if lapsedWhileRunning.contains(claim.value) { violate("I4: released after a lapse with the body running") }
        if claim.id != candidates[candidate].machine.settings.id { violate("I5: released the claim of another") }
    }

    private mutating func check() {
        var leaders = 0
        for candidate in candidates where candidate.isAlive {
            if candidate.mayCallHandlers(at: now) { leaders += 1 }
            if let running = candidate.running, case .stopping(let tenure, .ended) = candidate.machine.state,
                !tenure.window.isHeld(at: candidate.clock(now))
            {
                lapsedWhileRunning.insert(running.claim.value)
            }
        }
        if leaders > 1 { violate("I1: \(leaders) leaders") }
    }
}

// MARK: Faults

extension ElectionWorld {
    /// A `kill -9`: its requests in flight arrive all the same.
    mutating func kill(_ candidate: Int) {
        candidates[candidate].isAlive = false
        candidates[candidate].incarnation += 1
        candidates[candidate].timer += 1
        candidates[candidate].leadership = nil
        candidates[candidate].running = nil
    }

    /// A killed candidate comes back with nothing but its name.
    mutating func revive(_ candidate: Int) {
        var fresh = Candidate(candidates[candidate].machine.settings, seed: random.next())
        fresh.body = candidates[candidate].body
        fresh.incarnation = candidates[candidate].incarnation
        fresh.timer = candidates[candidate].timer
        fresh.monotonicOffset = candidates[candidate].monotonicOffset
        fresh.wallOffset = candidates[candidate].wallOffset
        candidates[candidate] = fresh
        send(.start, to: candidate)
    }

    /// A `kill -STOP`, with its `kill -CONT` after `duration`.
    mutating func pause(_ candidate: Int, for duration: Duration) {
        candidates[candidate].pausedUntil = now + duration
    }

    /// The registers that hold a claim of `candidate`.
    func votes(of candidate: Int) -> Int {
        let id = candidates[candidate].machine.settings.id
        return registers.count { $0.held(at: now).map { Claim.replica(of: $0.value) } == id }
    }
}
