import Lapse
import LeaderElection
import Timing

/// Progress beside the lock: the leader's writes, all replicas' reads.
extension SimulatedWorld {
    func readProgress(
        _ replica: Replica, fencing token: UInt64? = nil, done: @escaping (ProgressReading?) -> Void
    ) {
        let id = replica.id
        let time = { [unowned self] in now }
        askAll(replica) { register in
            register.read(as: id, fencing: token, at: time())
        } done: { [unowned self] replies in
            let words = replies.compactMap { $0 }.filter { defect != .readNeedsWrite || $0.refusal == nil }
            if !words.isEmpty {
                let seen = Set(words.flatMap(\.members))
                replica.peers = words.contains { $0.refusal != nil } ? replica.peers.union(seen) : seen
                replica.leavers = Set(words.flatMap(\.leaving))
                for word in words { replica.bases.merge(word.bases, uniquingKeysWith: max) }
                if let latest = words.compactMap(\.wholeness).max(by: { $0.token < $1.token }) {
                    replica.wholeness = latest
                }
                replica.deliveryMachine.note(peers: replica.peers)
                pump(replica)
                replica.known = Progress.newest([replica.known] + words.map(\.entries))
            }
            let reading = ProgressReading(words, of: replies.count)
            if let reading { replica.lacked = Set(replica.known.keys.filter(reading.lacks)) }
            // A term that begins does not wait for it.
            guard reading != nil, token == nil else { return done(reading) }
            tellAgain(replica) { done(reading) }
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
        } done: { [unowned self] accepted in
            let outcome = ProgressVote.outcome(accepted.map { $0 ?? nil })
            if outcome == .written { learn(progress, replica) }
            done(outcome)
        }
    }

    /// Every 250 ms, what moved.
    func writeProgressSoon(_ replica: Replica, _ body: Body) {
        after(.milliseconds(250), in: replica) { [unowned self] in
            guard replica.body === body, body.phase == .running || body.phase == .draining else { return }
            let progress = falsified(replica.deliveryMachine.progress(), body)
            body.unwritten.lost(replica.lacked)
            replica.lacked = []
            let moved = body.unwritten.moved(progress)
            guard leaseIsValid(replica, body) else { return writeProgressSoon(replica, body) }
            forgetReplaced(replica, body)
            guard !moved.isEmpty else { return writeProgressSoon(replica, body) }
            writeProgress(moved, replica, body) { [unowned self] outcome in
                switch outcome {
                case .written:
                    body.unwritten.wrote(moved)
                    for entry in moved { replica.logs[entry.runID]?.trim(through: entry.cursor.settled) }
                case .failed:
                    learn(moved, replica)
                    if body.sharedAt.map({ now - $0 >= .seconds(1) }) ?? true { share(moved, replica, body) }
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
        let begun = body.lanes.compactMap { $0.running?.delivery }
        return progress.map { entry in
            var entry = entry
            for delivery in begun where delivery.runID == entry.runID { entry.cursor.finish(delivery.ordinal) }
            return entry
        }
    }

    /// The leader's word, as it was written, or heard from itself.
    func learn(_ progress: [Progress], _ replica: Replica) {
        for entry in progress where replica.known[entry.runID].map({ !$0.isNewer(than: entry) }) ?? true {
            replica.known[entry.runID] = entry
        }
    }

    /// While the registers refuse to write, the followers are told, at most once a second.
    func share(_ progress: [Progress], _ replica: Replica, _ body: Body) {
        guard registers.contains(where: \.refusesWrites) else { return }
        body.sharedAt = now
        let messages = SharedProgress.messages(
            leader: replica.id, token: body.info.token.rawValue, progress, turn: Int(progress.first?.write ?? 0))
        for message in messages { publish(message.text, replica) }
    }

    /// A follower repeats what a leader told that has fallen silent.
    func repeatProgress(_ replica: Replica) {
        repeatDueProgress(replica)
        passOn(replica)
        after(.milliseconds(250), in: replica) { [unowned self] in repeatProgress(replica) }
    }

    /// A follower writes in the leader's place what the registers refused.
    private func passOn(_ replica: Replica) {
        for message in replica.relay.dueToWrite(now: replica.clock.read(now).monotonic) {
            let told = message.entries.filter { entry in
                replica.known[entry.runID].map { ($0.token, $0.write) == (entry.token, entry.write) } ?? false
            }
            guard message.token > replica.lastToken, !told.isEmpty else {
                replica.relay.wrote(message, .fenced)
                continue
            }
            let fields = told.map { ($0.field, $0.text) }
            let number = told.map(\.write).max() ?? 0
            askAll(replica) { register in
                register.write(fields, token: message.token, number: number)
            } done: { accepted in
                replica.relay.wrote(message, ProgressVote.outcome(accepted.map { $0 ?? nil }))
            }
        }
    }

    func repeatDueProgress(_ replica: Replica) {
        guard !replica.mayCallHandlers(at: now) else { return }
        for message in replica.relay.due(now: replica.clock.read(now).monotonic) { publish(message.text, replica) }
    }

    /// A replica that has begun asks for what a leader told before, once it can hear the answer.
    func askForProgress(_ replica: Replica) {
        guard !replica.hasAskedForProgress else { return }
        replica.hasAskedForProgress = true
        publish("wanted:v1:", replica) { [unowned self] isPublished in
            guard !isPublished else { return }
            replica.hasAskedForProgress = false
            after(.milliseconds(50), in: replica) { [unowned self] in askForProgress(replica) }
        }
    }

    /// Only the holder of the lease is believed, dead or alive; the registers are asked once for each
    /// token.
    func believes(_ message: SharedProgress, _ replica: Replica) -> Bool {
        if replica.believedToken == message.token { return true }
        let votes = registers.count { register in
            register.held(at: now).map { Claim.replica(of: $0.value) == message.leader } ?? false
        }
        if votes > registers.count / 2 { replica.believedToken = message.token }
        return votes > registers.count / 2
    }

    /// On the control channel.
    func publish(_ text: String, _ replica: Replica, done: @escaping (Bool) -> Void = { _ in }) {
        ask(replica, node: switchboard) { [unowned self] () -> Bool in
            guard !refusesFirstTry("\(replica.id) \(text)") else { return false }
            for node in nodes where node.answers(now) {
                for connection in node.connections { send(.words(text), connection) }
            }
            return true
        } done: { reply in
            done(reply == true)
        }
    }

    /// Each second every replica reads, keeps what the leader has not finished, and forgets what it has.
    func follow(_ replica: Replica) {
        readProgress(replica) { [unowned self] reading in
            if let reading {
                replica.logs.adopt(bases: replica.bases)
                if !replica.mayCallHandlers(at: now) { follow(reading, replica) }
            }
            tidy(replica)
            after(.seconds(1), in: replica) { [unowned self] in follow(replica) }
        }
    }

    private func follow(_ reading: ProgressReading, _ replica: Replica) {
        for log in replica.logs.all {
            guard let entry = reading[log.runID] else {
                log.follow(false)
                continue
            }
            log.learn(through: entry.cursor.through)
            log.adopt(base: entry.base)
            if let last = reading.forgettable(log.runID) { log.trim(through: last) } else { log.follow(true) }
            if defect == .pendingAges { log.follow(false) }
        }
    }

    /// As the feeds do from their beginning: so a wall clock that is set is noticed from the first.
    func tidy(_ replica: Replica) {
        replica.logs.tidy(now: replica.clock.milliseconds(now), monotonic: replica.clock.read(now).monotonic)
    }
}
