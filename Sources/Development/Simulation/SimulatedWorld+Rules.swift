import LeaderElection
import LeaderElectionRedis
import Timing

/// Every replica signs its rules in the deployment, whatever registers it counts: see ``GroupRules``.
extension SimulatedWorld {
    var rulesAreSigned: Bool { judges(.otherRules) || judges(.otherLease) }

    func signRules(_ replica: Replica) {
        guard rulesAreSigned, !replica.isLeaving else { return }
        let signature = (member: "\(replica.id)", terms: replica.machine.settings.rules)
        let sentAt = replica.clock.read(now).monotonic
        let time = { [unowned self] in now }
        let life = GroupRules.Life(lease: replica.lease)
        let permit = defect == .permitOutlastsSignature ? GroupRules.Life(lease: replica.lease * 1.5) : life
        askAll(replica) { register in
            register.sign(signature.member, terms: signature.terms, for: life.signature, at: time())
        } done: { [unowned self] answers in
            replica.standing.take(GroupRules.verdict(answers), sentAt: sentAt, life: permit)
            let readAt = replica.clock.read(now).monotonic
            let verdict = replica.standing.verdict(at: readAt)
            if case .refused = verdict, replica.standing.mayWithdraw(at: readAt) {
                askAll(replica) {
                    $0.withdraw(signature.member)
                } done: { _ in
                }
            }
            let pause = verdict == .agreed ? Duration.milliseconds(750) : random.milliseconds(200...400)
            after(pause, in: replica) { [unowned self] in signRules(replica) }
        }
    }

    /// What the rules answer in place of a register; nil where they permit to ask it.
    func answerByRules(_ operation: LeaseMachine.Operation, _ replica: Replica) -> LeaseMachine.Outcome? {
        guard rulesAreSigned, defect != .rulesUncompared else { return nil }
        let time = replica.clock.read(now).monotonic
        let isHeld = replica.standing.isHeld(at: time)
        switch (operation, replica.standing.verdict(at: time)) {
        case (.release, _), (.acquire, .agreed): return nil
        case (.acquire, .refused(_, let terms)): return .acquired(.mismatch(rules: terms))
        case (.acquire, .unknown(let text)), (.acquire, .kept(let text)): return .failed(.unreachable(text))
        case (.confirm, _): return isHeld ? nil : .confirmed(false)
        case (.renew, _): return isHeld ? nil : .renewed(.lost(holder: nil))
        }
    }
}
