import Timing

/// From the beginning of a term to the decision to end it.
extension LeaseMachine {
    /// The term under way, as long as its lease is kept alive.
    private var tenure: Tenure? {
        get {
            switch state {
            case .leading(let tenure), .suspect(let tenure), .stopping(let tenure, .draining): tenure
            default: nil
            }
        }
        set {
            guard let newValue else { return }
            switch state {
            case .leading: state = .leading(newValue)
            case .suspect: state = .suspect(newValue)
            case .stopping(_, let ending): state = .stopping(newValue, ending)
            default: break
            }
        }
    }

    /// Ends the term whose lease has run out by either clock. Needs no register, only time.
    mutating func expire(_ now: ClockReading) {
        if let tenure, !tenure.window.isOpen(at: now) {
            let onTime = now.monotonic >= tenure.window.leadUntil.monotonic
            end(tenure, onTime ? .renewTimeout : .clockJump, now)
        }
        if case .stopping(let tenure, .ended(let reason, let limit?)) = state, now.monotonic >= limit {
            clean = false
            state = .stopping(tenure, .ended(reason, limit: nil))
            effects.append(.note(.overran(term: tenure.term)))
        }
    }

    mutating func tickTenure(_ now: ClockReading) {
        if case .stopping(let tenure, .draining(let reason, let limit?)) = state, limit <= now.monotonic {
            return end(tenure, reason, now)
        }
        guard let tenure else { return }
        if let next = tenure.nextRound {
            if next <= now.monotonic { renew(tenure, now) }
        } else if let round = tenure.round, round.timeout <= now.monotonic {
            renewalFailed(tenure, now)
        }
    }

    /// A wake-up while leading may mean that the claim was deleted: look, but not in a frenzy.
    mutating func renewSoon(_ now: ClockReading) {
        guard var tenure, let next = tenure.nextRound else { return }
        let last = tenure.round?.sentAt.monotonic ?? now.monotonic
        tenure.nextRound = min(next, max(now.monotonic, last + timing.renewRetry.lowerBound))
        self.tenure = tenure
        tickTenure(now)
    }

    private mutating func renew(_ tenure: Tenure, _ now: ClockReading) {
        var tenure = tenure
        tenure.round = send(
            .renew(tenure.claim, token: tenure.token, term: tenure.term, heal: false), to: everyRegister, now)
        tenure.settled = false
        tenure.nextRound = nil
        self.tenure = tenure
    }

    /// Takes an answer to the renewal on its way; false if it belongs to an older one.
    mutating func renewed(_ request: Request, _ outcome: Outcome, _ now: ClockReading) -> Bool {
        guard var tenure, var round = tenure.round, round.number == request.round else { return false }
        guard round.take(outcome, from: request.register) else { return true }
        tenure.round = round
        self.tenure = tenure
        if tenure.settled {
            heal(tenure, [request.register], now)
            completeSoon(round, now)
            return true
        }
        let good = round.count { $0 == .renewed(.renewed) }
        let gone = round.count { if case .renewed(.lost) = $0 { true } else { false } }
        if good >= majority {
            renewalSucceeded(tenure, round, now)
        } else if gone > settings.registers - majority {
            end(tenure, .lost, now)
        } else if good + round.unanswered < majority, gone + round.unanswered <= settings.registers - majority {
            renewalFailed(tenure, now)
        }
        return true
    }

    private mutating func renewalSucceeded(_ tenure: Tenure, _ round: Round, _ now: ClockReading) {
        var tenure = tenure
        tenure.settled = true
        tenure.window = LeaseWindow(start: round.sentAt, timing: timing)
        tenure.nextRound = round.sentAt.monotonic + timing.renewInterval
        self.tenure = tenure
        effects.append(.extendTerm(tenure.window, took: now.monotonic - round.sentAt.monotonic))
        if case .suspect = state {
            state = .leading(tenure)
            effects.append(.note(.recovered))
        }
        if round.unanswered == 0, !round.isHeldByAnother { tenure.incomplete = 0 }
        self.tenure = tenure
        heal(tenure, everyRegister, now)
        completeSoon(round, now)
    }

    /// A rival's vote of a contested election is given back within moments, and nothing tells of it: looks
    /// again soon, a few times and ever later, rather than rest on the other registers until the next
    /// renewal.
    private mutating func completeSoon(_ round: Round, _ now: ClockReading) {
        guard var tenure, let next = tenure.nextRound, round.isHeldByAnother else { return }
        let pause = timing.renewRetry.lowerBound * (1 << min(tenure.incomplete, 8))
        guard now.monotonic + pause < next else { return }
        tenure.incomplete += 1
        tenure.nextRound = now.monotonic + pause
        self.tenure = tenure
    }

    /// Takes votes back that were lost, once the same round has shown that the majority is held: never
    /// otherwise, or a claim that was lost everywhere would be won again under an old token.
    private mutating func heal(_ tenure: Tenure, _ candidates: [Int], _ now: ClockReading) {
        let empty = candidates.filter { tenure.round?.answers[$0] == .renewed(.lost(holder: nil)) }
        guard !empty.isEmpty else { return }
        _ = send(.renew(tenure.claim, token: tenure.token, term: tenure.term, heal: true), to: empty, now)
    }

    /// The deadline stays where it is; try again until it comes.
    private mutating func renewalFailed(_ tenure: Tenure, _ now: ClockReading) {
        var tenure = tenure
        tenure.nextRound = now.monotonic + random.duration(in: timing.renewRetry)
        // Answers that still come belong to a round that is over.
        tenure.round = nil
        self.tenure = tenure
        if case .leading = state {
            state = .suspect(tenure)
            effects.append(.note(.suspect))
        }
    }
}

extension LeaseMachine.Round {
    /// A register holds the claim of another replica.
    fileprivate var isHeldByAnother: Bool {
        count { if case .renewed(.lost(holder: .some)) = $0 { true } else { false } } > 0
    }
}
