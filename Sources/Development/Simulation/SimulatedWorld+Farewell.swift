import Lapse
import LeaderElection

/// A replica that leaves serves its peers until they need it no more.
extension SimulatedWorld {
    func leave(_ replica: Replica) {
        guard !replica.isLeaving else { return }
        replica.isLeaving = true
        if rulesAreSigned {
            let id = replica.id
            askAll(replica) {
                $0.withdraw(id)
            } done: { _ in
            }
        }
        let id = replica.id
        askAll(replica) {
            $0.noteLeaving(id)
        } done: { _ in
        }
        serve(replica, since: now)
    }

    private func serve(_ replica: Replica, since began: Duration) {
        let limit: Duration = replica.lastToken > 0 ? .seconds(10) : .seconds(2)
        guard now - began < limit else { return withdrawn(replica) }
        readProgress(replica) { [unowned self] reading in
            if let reading, isDispensable(replica, reading.entries) { return withdrawn(replica) }
            after(.milliseconds(100), in: replica) { [unowned self] in serve(replica, since: began) }
        }
    }

    private func isDispensable(_ replica: Replica, _ progress: [String: Progress]) -> Bool {
        let reason = LeaveReason(
            id: replica.id, token: replica.lastToken, logs: replica.logs, progress: progress, peers: replica.peers,
            leaving: replica.leavers, wholeness: replica.wholeness)
        return reason != nil
    }

    private func withdrawn(_ replica: Replica) {
        let id = replica.id
        askAll(replica) {
            $0.forget(id)
        } done: { [unowned self] _ in
            exited(replica)
        }
    }

    /// Every 250 ms while a term lasts, when it has changed.
    func sayWhetherWhole(_ replica: Replica, _ body: Body) {
        guard replica.body === body, body.phase == .running || body.phase == .draining else { return }
        let isWhole = replica.deliveryMachine.isWhole && replica.catchUp.isWhole(replica.logs, replica.known)
        if isWhole != body.saidWhole, leaseIsValid(replica, body) {
            body.saidWhole = isWhole
            let word = Wholeness(token: body.info.token.rawValue, isWhole: isWhole)
            let isRefused = refusesFirstTry("\(replica.id) \(word.text)")
            askAll(replica) { register -> Bool? in
                isRefused ? nil : register.note(word)
            } done: { [unowned self] answers in
                if !isTaken(answers), judges(.refusedTelling) { body.saidWhole = nil }
            }
        }
        after(.milliseconds(250), in: replica) { [unowned self] in sayWhetherWhole(replica, body) }
    }
}
