import Lapse
import LeaderElection

/// Progress beside the lock: the leader's writes, everybody's reads.
extension World {
    func readProgress(
        _ replica: Replica, fencing token: UInt64? = nil, done: @escaping ([String: Progress]?) -> Void
    ) {
        let id = replica.id
        let time = { [unowned self] in now }
        askAll(replica) { register in
            register.read(as: id, fencing: token, at: time())
        } done: { [unowned self] replies in
            let answers = replies.compactMap { $0 ?? nil }
            let tables = answers.map(\.cursors)
            if !answers.isEmpty {
                replica.peers = Set(answers.flatMap(\.members))
                replica.intake.note(peers: replica.peers)
                pump(replica)
            }
            if !tables.isEmpty { replica.known = Progress.newest([replica.known] + tables) }
            done(ProgressVote.newest(tables, of: replies.count))
        }
    }

    func writeProgress(
        _ progress: [Progress], _ replica: Replica, _ body: Body, done: @escaping (ProgressKeeper.Outcome) -> Void
    ) {
        let fields = progress.map { ($0.field, $0.text) }
        let token = body.info.token.rawValue
        let number = progress.map(\.write).max() ?? 0
        askAll(replica) { register in
            register.write(fields, token: token, number: number)
        } done: { accepted in
            let outcome = ProgressVote.outcome(accepted.map { $0 ?? nil })
            if outcome == .written { for entry in progress { replica.known[entry.runID] = entry } }
            done(outcome)
        }
    }

    /// Every 250 ms, what moved.
    func writeProgressSoon(_ replica: Replica, _ body: Body) {
        after(.milliseconds(250), in: replica) { [unowned self] in
            guard replica.body === body, body.phase == .running || body.phase == .draining else { return }
            let progress = falsified(replica.intake.progress(), body)
            let moved = body.unwritten.moved(progress)
            guard leaseIsValid(replica, body) else { return writeProgressSoon(replica, body) }
            forgetReplaced(replica, body)
            guard !moved.isEmpty else { return writeProgressSoon(replica, body) }
            writeProgress(moved, replica, body) { [unowned self] outcome in
                switch outcome {
                case .written:
                    body.unwritten.wrote(moved)
                    for entry in moved { replica.logs[entry.runID]?.trim(through: entry.cursor.settled) }
                case .failed: break
                case .fenced:
                    if replica.body === body { step(.resign, replica) }
                    return
                }
                writeProgressSoon(replica, body)
            }
        }
    }

    private func forgetReplaced(_ replica: Replica, _ body: Body) {
        let gone = replica.logs.replaced(replica.known)
        guard !gone.isEmpty else { return }
        for runID in gone { replica.known[runID] = nil }
        let token = body.info.token.rawValue
        askAll(replica) { register in
            register.forget(gone.map { "log:\($0)" }, token: token)
        } done: { _ in
        }
    }

    /// The planted mistake: what has begun counts as finished.
    func falsified(_ progress: [Progress], _ body: Body) -> [Progress] {
        guard defect == .progressBeforeCompletion else { return progress }
        let begun = body.lanes.compactMap { $0.running?.work }
        return progress.map { entry in
            var entry = entry
            for work in begun where work.runID == entry.runID { entry.cursor.finish(work.ordinal) }
            return entry
        }
    }

    /// Each second every replica reads, and forgets what the leader has finished.
    func follow(_ replica: Replica) {
        readProgress(replica) { [unowned self] progress in
            if let progress, !replica.mayCallHandlers(at: now) {
                for entry in progress.values {
                    replica.logs[entry.runID]?.adopt(base: entry.base)
                    replica.logs[entry.runID]?.trim(through: entry.cursor.settled)
                }
            }
            tidy(replica)
            after(.seconds(1), in: replica) { [unowned self] in follow(replica) }
        }
    }

    /// As the feeds do from their beginning: so a wall clock that is set is noticed from the first.
    func tidy(_ replica: Replica) {
        replica.logs.tidy(now: replica.clock.milliseconds(now), monotonic: replica.clock.read(now).monotonic)
    }
}
