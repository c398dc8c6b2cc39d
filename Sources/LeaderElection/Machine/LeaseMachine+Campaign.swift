import Timing

/// From a first request to the beginning of a term.
extension LeaseMachine {
    mutating func campaign(_ now: ClockReading) {
        guard !stopRequested else { return finish(now) }
        let claim = Claim(
            name: settings.name, id: settings.id, value: "\(settings.id):\(random.hexadecimal())", ttl: timing.ttl,
            rules: settings.rules, purpose: settings.purpose)
        wokenWhileVoting = false
        let round = send(.acquire(claim), to: everyRegister, now)
        state = .campaigning(Ballot(claim: claim, begun: now.monotonic, round: round))
    }

    // MARK: Votes

    mutating func voted(_ ballot: Ballot, _ register: Int, _ outcome: Outcome, _ now: ClockReading) {
        var ballot = ballot
        guard ballot.round.take(outcome, from: register) else { return }
        state = .campaigning(ballot)
        let votes = ballot.round.votes
        // One register's word is enough: another majority may hold under other rules, with other registers.
        if ballot.round.foreignRules != nil {
            concludeVote(ballot, now)
        } else if votes.count >= majority {
            confirm(ballot, votes, now)
        } else if votes.count + ballot.round.unanswered < majority {
            concludeVote(ballot, now)
        }
    }

    /// No majority: finds the leader, or why there is none, and when it is worth trying again.
    mutating func concludeVote(_ ballot: Ballot, _ now: ClockReading) {
        let round = ballot.round
        if let rules = round.foreignRules { return refuse(ballot, rules, now) }
        refusal = nil
        if let holder = round.holder(of: majority) {
            follow(Claim.replica(of: holder))
            contention = 0
            let free = min(round.free(majority, unknown: timing.retryLimit), timing.ttl)
            let patience = settings.push ? free : min(free, timing.retryLimit)
            // Not at once even when woken: replicas that were just refused would ask in step.
            return giveUp(
                ballot, wait: patience + random.duration(in: timing.followJitter),
                orWakeUpAfter: random.duration(in: timing.followJitter), now)
        }
        let mayBeMine = round.votes.count + round.unclear
        if mayBeMine >= majority, ballot.tries < 2 {
            // An answer was lost, perhaps not the vote: ask again with the same claim.
            var again = ballot
            again.tries += 1
            again.round = send(.acquire(ballot.claim), to: everyRegister, now)
            state = .campaigning(again)
            return
        }
        // A split vote, a young server, or no majority in reach.
        if let text = round.obstacle(of: majority), text != obstacle {
            obstacle = text
            effects.append(.note(.waiting(text)))
        }
        let pause = backoff()
        giveUp(ballot, wait: max(pause, round.free(majority, unknown: pause)), now)
    }

    // MARK: Other rules

    private mutating func refuse(_ ballot: Ballot, _ rules: String, _ now: ClockReading) {
        tellRefusal(rules)
        // The end of the others' lease is worth a look; their rules may end with it.
        giveUp(
            ballot, wait: timing.mismatchRetry, orWakeUpAfter: random.duration(in: timing.followJitter), now)
    }

    private mutating func tellRefusal(_ rules: String) {
        let mine = LeasePurpose(settings.purpose).appended(to: settings.rules)
        let text = "the replicas that hold the lease have other rules: \(rules), mine are \(mine)"
        refusal = text
        effects.append(.note(.refused(text)))
    }

    /// A register's late word, after a majority of the others had voted already; false if it says nothing
    /// of rules.
    mutating func refuses(_ claim: Claim, _ outcome: Outcome, _ now: ClockReading) -> Bool {
        guard case .acquired(.mismatch(let rules)) = outcome else { return false }
        switch state {
        case .campaigning(let ballot) where ballot.claim == claim, .confirming(let ballot) where ballot.claim == claim:
            refuse(ballot, rules, now)
        case .leading(let tenure) where tenure.claim == claim, .suspect(let tenure) where tenure.claim == claim,
            .stopping(let tenure, .draining) where tenure.claim == claim:
            tellRefusal(rules)
            end(tenure, .lost, now)
        default: return false
        }
        return true
    }

    private mutating func follow(_ other: String) {
        obstacle = nil
        guard leader != other else { return }
        leader = other
        effects.append(.note(.following(leader: other)))
    }

    // MARK: Token

    /// A majority voted: publish a token that none of the voters has seen a larger one than.
    private mutating func confirm(_ ballot: Ballot, _ votes: [Int: Vote], _ now: ClockReading) {
        var ballot = ballot
        let won = Ballot.Won(
            window: LeaseWindow(start: ballot.round.sentAt, timing: timing),
            token: FencingToken(rawValue: votes.values.lazy.map(\.counter).max() ?? 0),
            term: (votes.values.lazy.map(\.term).max() ?? 0) + 1,
            voters: votes.keys.sorted())
        // The votes may have come too late to be worth anything.
        guard won.window.isOpen(at: now) else { return giveUp(ballot, wait: backoff(), now) }
        ballot.won = won
        ballot.tries = 1
        ballot.round = send(.confirm(ballot.claim, token: won.token, term: won.term), to: everyRegister, now)
        state = .confirming(ballot)
    }

    mutating func confirmed(_ ballot: Ballot, _ register: Int, _ outcome: Outcome, _ now: ClockReading) {
        var ballot = ballot
        guard ballot.round.take(outcome, from: register), let won = ballot.won else { return }
        state = .confirming(ballot)
        let held = ballot.round.confirmed(by: won.voters)
        if held >= majority {
            guard won.window.isOpen(at: now) else { return giveUp(ballot, wait: backoff(), now) }
            lead(ballot, won, now)
        } else if held + ballot.round.unanswered(by: won.voters) < majority {
            confirmFailed(ballot, now)
        }
    }

    mutating func confirmFailed(_ ballot: Ballot, _ now: ClockReading) {
        guard let won = ballot.won else { return }
        let mayHold = ballot.round.confirmed(by: won.voters) + ballot.round.unclear(of: won.voters)
        guard ballot.tries < 2, mayHold >= majority, won.window.isOpen(at: now) else {
            return giveUp(ballot, wait: backoff(), now)
        }
        var again = ballot
        again.tries += 1
        again.round = send(.confirm(ballot.claim, token: won.token, term: won.term), to: everyRegister, now)
        state = .confirming(again)
    }

    private mutating func lead(_ ballot: Ballot, _ won: Ballot.Won, _ now: ClockReading) {
        contention = 0
        obstacle = nil
        refusal = nil
        leader = settings.id
        // The first renewal follows at once: it takes the votes that a contested election left out, so that
        // the term does not rest on a bare majority until a third of the lease has passed.
        let tenure = Tenure(
            claim: ballot.claim, token: won.token, term: won.term, begun: now.monotonic, window: won.window,
            nextRound: now.monotonic)
        state = .leading(tenure)
        effects.append(
            .beginTerm(
                TermInfo(
                    term: won.term, token: won.token, claim: ballot.claim, window: won.window,
                    took: now.monotonic - ballot.begun)))
        tickTenure(now)
    }

    // MARK: Giving up

    /// Gives back what votes there are or may be, and waits.
    private mutating func giveUp(
        _ ballot: Ballot, wait delay: Duration, orWakeUpAfter earliest: Duration? = nil, _ now: ClockReading
    ) {
        _ = giveBack(ballot, now)
        // A wake-up during the vote may have told of a release that the vote did not see yet.
        wait(wokenWhileVoting ? min(delay, earliest ?? delay) : delay, orWakeUpAfter: earliest, now)
    }

    /// Releases at every register that voted or may have, also at those that did not answer: their vote may
    /// come all the same. Only a register that denied the vote is left alone.
    mutating func giveBack(_ ballot: Ballot, _ now: ClockReading) -> Round? {
        let denied = ballot.won == nil && ballot.tries == 1 ? ballot.round.denied : []
        let targets = everyRegister.filter { !denied.contains($0) }
        guard !targets.isEmpty else { return nil }
        // Others slept only if a majority looked taken. To wake them for less would have the woken split the
        // next vote, and wake the others again, for ever.
        return send(.release(ballot.claim, wake: targets.count >= majority), to: targets, now)
    }
}

extension LeaseMachine.Round {
    /// The votes of this round, by register.
    var votes: [Int: Vote] {
        var votes: [Int: Vote] = [:]
        for (register, answer) in answers.enumerated() {
            if case .acquired(.granted(let vote)) = answer { votes[register] = vote }
        }
        return votes
    }

    /// Registers that answered, and did not vote.
    var denied: Set<Int> {
        Set(
            answers.indices.filter { register in
                switch answers[register] {
                case .acquired(.held), .acquired(.refused), .acquired(.mismatch): true
                default: false
                }
            })
    }

    /// Asked, and no answer or an error: what was asked may have been done.
    var unclear: Int { unclear(of: Array(answers.indices)) }

    func unclear(of registers: [Int]) -> Int {
        registers.count { register in
            switch answers[register] {
            case nil: asked[register]
            case .failed: true
            default: false
            }
        }
    }

    func confirmed(by registers: [Int]) -> Int { registers.count { answers[$0] == .confirmed(true) } }

    func unanswered(by registers: [Int]) -> Int { registers.count { asked[$0] && answers[$0] == nil } }

    var foreignRules: String? {
        for case .acquired(.mismatch(let rules)) in answers { return rules }
        return nil
    }

    /// The claim that holds at least `majority` registers.
    func holder(of majority: Int) -> String? {
        var count: [String: Int] = [:]
        for case .acquired(.held(let holder, _)) in answers {
            count[holder, default: 0] += 1
        }
        return count.first { $0.value >= majority }?.key
    }

    /// What keeps every candidate from a majority; nil for a split vote, which ends by itself.
    func obstacle(of majority: Int) -> String? {
        var silent = 0
        var reason: String?
        for answer in answers {
            switch answer {
            case .acquired(.refused(let text, _)): reason = reason ?? text
            case .failed(let error):
                silent += 1
                reason = reason ?? "\(error)"
            default: break
            }
        }
        let refused = count { if case .acquired(.refused) = $0 { true } else { false } }
        guard let reason, silent + refused > answers.count - majority else { return nil }
        return "\(silent + refused) of \(answers.count) registers give no vote: \(reason)"
    }

    /// How long until a majority of the registers can vote, as far as they said.
    func free(_ majority: Int, unknown: Duration) -> Duration {
        let known = holder(of: majority)
        let delays = answers.map { answer -> Duration in
            switch answer {
            case .acquired(.granted): .zero
            case .acquired(.held(let holder, let ttl)) where holder == known: ttl ?? unknown
            // A rival that did not win either gives its vote back soon.
            case .acquired(.held): .zero
            case .acquired(.refused(_, let retryAfter)): retryAfter ?? unknown
            default: unknown
            }
        }
        return delays.sorted()[majority - 1]
    }
}
