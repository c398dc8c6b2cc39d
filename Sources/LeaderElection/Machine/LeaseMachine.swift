package import Timing

/// The election as seen by one replica, as a pure value: events go in, effects come out. It reads no
/// clock and does no I/O, so tests drive its time.
///
/// ```
/// idle ─▶ campaigning ─▶ confirming ─▶ leading ⇄ suspect ─▶ stopping ─▶ releasing ─▶ idle | stopped
/// ```
///
/// What it promises, whatever comes in:
/// - a term begins only after a majority of *all* registers voted and confirmed within the lease;
/// - it ends at `leadUntil` unless a renewal that was sent in time reached a majority;
/// - no release is sent, and no further term begun, before the body of the last one has returned.
package struct LeaseMachine: Sendable {
    package struct Settings: Sendable {
        package let name: String
        package let id: String
        package let rules: String
        /// What the lease is for; see ``Claim/purpose``.
        package let purpose: String
        package let registers: Int
        package let timing: LeaseTiming
        /// The store sends wake-ups; without them, followers look more often.
        package let push: Bool
        /// How long a body may go on after it was asked to drain (nil: as long as it likes).
        package let drainLimit: Duration?

        package init(
            name: String, id: String, rules: String, purpose: String = "", registers: Int, timing: LeaseTiming,
            push: Bool = true, drainLimit: Duration? = nil
        ) throws(ElectionError) {
            guard registers > 0, registers % 2 == 1 else {
                throw .configuration(
                    "registers",
                    "\(registers) registers cannot vote: an odd number is needed, so that a vote is never a tie")
            }
            self.name = name
            self.id = id
            self.rules = rules
            self.purpose = purpose
            self.registers = registers
            self.timing = timing
            self.push = push
            self.drainLimit = drainLimit
        }

        package var majority: Int { registers / 2 + 1 }
    }

    package let settings: Settings
    package internal(set) var state: State = .idle(Wait(until: nil, notBefore: .zero))
    /// What every register said last, for metrics.
    package internal(set) var registers: [RegisterState]
    /// The replica that holds a majority, as far as is known.
    package internal(set) var leader: String?
    /// Why this replica must not campaign: others hold the lease under other rules.
    package internal(set) var refusal: String?
    /// Why no replica leads, as last said.
    var obstacle: String?

    var random: RandomSource
    var effects: [Effect] = []
    var rounds: UInt64 = 0
    var armed: Duration?
    /// `stop` or `cancel` came: what is under way is ended, nothing is begun.
    var stopRequested = false
    /// A wake-up came while a vote was under way: its result may be stale.
    var wokenWhileVoting = false
    /// The last claim that ran out by itself: it is left to do so, nothing is sent for it any more.
    var lapsed: String?
    /// Until then another replica is to win: see `yield(for:_:)`.
    var yieldsUntil: Duration?
    /// Votes lost in a row without a winner, and bodies failed in a row.
    var contention = 0
    var failures = 0
    var clean = true

    package init(settings: Settings, random: RandomSource) {
        self.settings = settings
        self.random = random
        registers = Array(repeating: .unknown, count: settings.registers)
    }

    var timing: LeaseTiming { settings.timing }
    var majority: Int { settings.majority }

    /// The one door: `now` must have been read before any effect of this step is carried out.
    package mutating func step(_ event: Event, now: ClockReading) -> [Effect] {
        // First of all: a lapsed lease is lapsed, whatever the event says.
        expire(now)
        switch event {
        case .stop, .cancel: break
        case .timer:
            armed = nil
            tick(now)
        default: tick(now)
        }
        switch event {
        case .start: start(now)
        case .timer: break
        case .answered(let request, let outcome): answered(request, outcome, now)
        case .wakeUp: wokenUp(now)
        case .bodyReturned(let outcome): bodyReturned(outcome, now)
        case .stop: stop(now)
        case .resign: resign(now)
        case .yield(let time): yield(for: time, now)
        case .cancel: cancel(now)
        }
        let next = nextWake
        if next != armed {
            armed = next
            effects.append(.wake(at: next))
        }
        defer { effects.removeAll() }
        return effects
    }

    /// What falls due by time alone.
    private mutating func tick(_ now: ClockReading) {
        switch state {
        case .idle(let wait):
            if let until = wait.until, until <= now.monotonic { campaignUnlessYielding(wait, now) }
        case .campaigning(let ballot):
            if ballot.round.timeout <= now.monotonic { concludeVote(ballot, now) }
        case .confirming(let ballot):
            if ballot.round.timeout <= now.monotonic { confirmFailed(ballot, now) }
        case .leading, .suspect, .stopping:
            tickTenure(now)
        case .releasing(let release):
            if release.round.timeout <= now.monotonic { concludeRelease(release, now) }
        case .stopped: break
        }
    }

    private var nextWake: Duration? {
        switch state {
        case .idle(let wait): wait.until
        case .campaigning(let ballot), .confirming(let ballot): ballot.round.timeout
        case .leading(let tenure), .suspect(let tenure): nextWake(of: tenure)
        case .stopping(let tenure, .draining(_, let limit)): min(nextWake(of: tenure), limit ?? .seconds(Int64.max))
        case .stopping(_, .ended(_, let limit)): limit
        case .releasing(let release): release.round.timeout
        case .stopped: nil
        }
    }

    private func nextWake(of tenure: Tenure) -> Duration {
        let renewal = tenure.nextRound ?? tenure.round?.timeout ?? tenure.window.leadUntil.monotonic
        return min(renewal, tenure.window.leadUntil.monotonic)
    }

    private mutating func start(_ now: ClockReading) {
        guard case .idle(let wait) = state, wait.until == nil else { return }
        campaign(now)
    }

    private mutating func wokenUp(_ now: ClockReading) {
        switch state {
        case .idle(let wait):
            guard let until = wait.until else { return }
            let headStart = isYielding(now)
            let earliest = max(wait.notBefore, now.monotonic + (headStart ? timing.resignPause : .zero))
            if earliest < until {
                state = .idle(Wait(until: earliest, notBefore: wait.notBefore, hasGivenHeadStart: headStart))
                if earliest <= now.monotonic { campaign(now) }
            }
        case .campaigning, .confirming: wokenWhileVoting = true
        case .leading, .suspect, .stopping: renewSoon(now)
        case .releasing, .stopped: break
        }
    }

    private mutating func answered(_ request: Request, _ outcome: Outcome, _ now: ClockReading) {
        learn(request, outcome)
        switch (state, request.operation) {
        case (.campaigning(let ballot), .acquire) where ballot.round.number == request.round:
            voted(ballot, request.register, outcome, now)
        case (.confirming(let ballot), .confirm) where ballot.round.number == request.round:
            confirmed(ballot, request.register, outcome, now)
        case (_, .acquire(let claim)) where refuses(claim, outcome, now): break
        case (.releasing(let release), .release) where release.round.number == request.round:
            released(release, request.register, outcome, now)
        case (.leading, .renew(_, _, _, heal: false)), (.suspect, .renew(_, _, _, heal: false)),
            (.stopping, .renew(_, _, _, heal: false)):
            if !renewed(request, outcome, now) { answeredLate(request, outcome, now) }
        default:
            answeredLate(request, outcome, now)
        }
    }

    /// A vote that comes too late is given back, lest it blocks others for a whole lease.
    private mutating func answeredLate(_ request: Request, _ outcome: Outcome, _ now: ClockReading) {
        switch outcome {
        case .acquired(.granted), .renewed(.renewed): break
        default: return
        }
        let claim = request.operation.claim
        guard claim.value != currentClaim?.value, claim.value != lapsed else { return }
        // Where one register decides, the late vote looked like a leader to all others.
        _ = send(.release(claim, wake: majority == 1), to: [request.register], now)
    }

    /// The claim whose votes are wanted.
    private var currentClaim: Claim? {
        switch state {
        case .campaigning(let ballot), .confirming(let ballot): ballot.claim
        case .leading(let tenure), .suspect(let tenure), .stopping(let tenure, _): tenure.claim
        case .idle, .releasing, .stopped: nil
        }
    }

    // MARK: Tools

    /// Sends one operation to some registers; `now` is the start of its round.
    mutating func send(_ operation: Operation, to targets: [Int], _ now: ClockReading) -> Round {
        rounds += 1
        var round = Round(
            number: rounds, sentAt: now, timeout: now.monotonic + timing.operationTimeout,
            answers: Array(repeating: nil, count: settings.registers),
            asked: Array(repeating: false, count: settings.registers))
        for register in targets {
            round.asked[register] = true
            effects.append(.send(Request(round: rounds, register: register, operation: operation)))
        }
        return round
    }

    var everyRegister: [Int] { Array(0..<settings.registers) }

    /// Waits for `delay`, or, from `earliest` on, for a wake-up.
    mutating func wait(_ delay: Duration, orWakeUpAfter earliest: Duration? = nil, _ now: ClockReading) {
        state = .idle(Wait(until: now.monotonic + delay, notBefore: now.monotonic + (earliest ?? delay)))
    }

    /// A random backoff that grows with every failure in a row.
    mutating func backoff() -> Duration {
        contention += 1
        let range = timing.contentionBackoff
        let growth = 1 << min(contention - 1, 4)
        return min(random.duration(in: range.lowerBound...(range.upperBound * growth)), timing.retryLimit)
    }

    private mutating func learn(_ request: Request, _ outcome: Outcome) {
        switch outcome {
        case .failed(let error): registers[request.register] = .unreachable(error)
        case .renewed(.lost), .confirmed(false): registers[request.register] = .lost
        case .released:
            // A server that refuses to write still deletes: that says nothing about its vote.
            if case .unreachable(let error) = registers[request.register], error.code == .refusesWrites { break }
            registers[request.register] = .ok
        default: registers[request.register] = .ok
        }
    }
}

/// What a register said last.
public enum RegisterState: Sendable, Hashable {
    /// Not asked yet.
    case unknown
    /// It answers, and holds what it should.
    case ok
    /// It holds this replica's claim no more.
    case lost
    /// It gave no answer, and why.
    case unreachable(RegisterError)
}
