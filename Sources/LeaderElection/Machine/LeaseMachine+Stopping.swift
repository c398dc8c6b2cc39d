import Timing

/// From the decision to end a term to the release, and to the end of it all.
extension LeaseMachine {
    // MARK: Asked to end

    mutating func stop(_ now: ClockReading) {
        stopRequested = true
        switch state {
        case .idle: finish(now)
        case .campaigning(let ballot), .confirming(let ballot): withdraw(ballot, now)
        case .leading(let tenure), .suspect(let tenure): drain(tenure, .shutdown, now)
        case .stopping, .releasing, .stopped: break
        }
    }

    mutating func resign(_ now: ClockReading) {
        switch state {
        case .leading(let tenure), .suspect(let tenure): drain(tenure, .resigned, now)
        default: break
        }
    }

    mutating func cancel(_ now: ClockReading) {
        switch state {
        case .leading(let tenure), .suspect(let tenure), .stopping(let tenure, .draining):
            stopRequested = true
            end(tenure, .shutdown, now)
        default: stop(now)
        }
    }

    private mutating func drain(_ tenure: Tenure, _ reason: TermEnd, _ now: ClockReading) {
        state = .stopping(tenure, .draining(reason, limit: settings.drainLimit.map { now.monotonic + $0 }))
        effects.append(.drain)
    }

    private mutating func withdraw(_ ballot: Ballot, _ now: ClockReading) {
        guard let round = giveBack(ballot, now) else { return finish(now) }
        state = .releasing(Release(claim: ballot.claim, term: nil, lived: .zero, round: round))
    }

    // MARK: The end of a term

    /// No handler may be called any more. The lease is kept until the body has returned, but not renewed.
    ///
    /// A process that was stopped past its lease learns of the end only when it goes on: its body too has
    /// the stop budget to return in.
    mutating func end(_ tenure: Tenure, _ reason: TermEnd, _ now: ClockReading) {
        var tenure = tenure
        tenure.round = nil
        tenure.nextRound = nil
        let limit = max(tenure.window.deadline.monotonic, now.monotonic + timing.stopBudget)
        state = .stopping(tenure, .ended(reason, limit: limit))
        if reason.isLoss { leader = nil }
        effects.append(.endTerm(reason))
    }

    mutating func bodyReturned(_ outcome: BodyOutcome, _ now: ClockReading) {
        switch state {
        case .leading(let tenure), .suspect(let tenure):
            endAfterBody(tenure, outcome, otherwise: .finished, now)
        case .stopping(let tenure, .draining(let reason, _)):
            endAfterBody(tenure, outcome, otherwise: reason, now)
        case .stopping(let tenure, .ended(let reason, _)):
            leave(tenure, reason, now)
        case .idle, .campaigning, .confirming, .releasing, .stopped: break
        }
    }

    private mutating func endAfterBody(
        _ tenure: Tenure, _ outcome: BodyOutcome, otherwise: TermEnd, _ now: ClockReading
    ) {
        let reason: TermEnd =
            switch outcome {
            case .returned: otherwise
            case .failed: .failed
            case .fencedOut: .fenced
            }
        end(tenure, reason, now)
        leave(tenure, reason, now)
    }

    /// The body has returned: give the lease back if it is still ours, or else let it lapse.
    private mutating func leave(_ tenure: Tenure, _ reason: TermEnd, _ now: ClockReading) {
        leader = nil
        let lived = now.monotonic - tenure.begun
        guard tenure.window.isHeld(at: now) else {
            lapsed = tenure.claim.value
            return afterTerm(reason, lived: lived, now)
        }
        let round = send(.release(tenure.claim, wake: true), to: everyRegister, now)
        state = .releasing(Release(claim: tenure.claim, term: reason, lived: lived, round: round))
    }

    // MARK: Release

    mutating func released(_ release: Release, _ register: Int, _ outcome: Outcome, _ now: ClockReading) {
        var release = release
        guard release.round.take(outcome, from: register) else { return }
        state = .releasing(release)
        if release.round.unanswered == 0 { concludeRelease(release, now) }
    }

    mutating func concludeRelease(_ release: Release, _ now: ClockReading) {
        let done = release.round.count { $0 == .released }
        if done < majority, release.tries < 2 {
            var again = release
            again.tries += 1
            again.round = send(.release(release.claim, wake: true), to: everyRegister, now)
            state = .releasing(again)
            return
        }
        guard let reason = release.term else { return finish(now) }
        if done >= majority { effects.append(.note(.released)) }
        afterTerm(reason, lived: release.lived, now)
    }

    // MARK: What comes next

    private mutating func afterTerm(_ reason: TermEnd, lived: Duration, _ now: ClockReading) {
        if stopRequested { return finish(now) }
        if lived > timing.ttl { failures = 0 }
        switch reason {
        case .lost where refusal != nil:
            // It began before a register told of other rules.
            wait(timing.mismatchRetry, orWakeUpAfter: random.duration(in: timing.followJitter), now)
        case .renewTimeout, .lost, .clockJump, .shutdown:
            wait(backoff(), now)
        case .finished, .resigned:
            failures = 0
            wait(timing.resignPause + random.duration(in: timing.followJitter), now)
        case .failed, .fenced:
            let pause = min(timing.resignPause * (1 << min(failures, 8)), timing.failureLimit)
            failures += 1
            wait(pause + random.duration(in: timing.followJitter), now)
        }
    }

    mutating func finish(_ now: ClockReading) {
        guard case .stopped = state else {
            state = .stopped
            effects.append(.stopped(clean: clean))
            return
        }
    }
}
