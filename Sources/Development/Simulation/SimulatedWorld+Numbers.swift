import Lapse
import LeaderElection

/// All replicas number a process alike: one that comes back asks those that heard it all the while.
extension SimulatedWorld {
    /// What the registers said last.
    func inform(_ log: NodeLog, _ replica: Replica) {
        if defect != .floorUnknown { log.learn(through: replica.known[log.runID]?.cursor.through ?? 0) }
        log.adopt(base: max(replica.known[log.runID]?.base ?? 0, Int64(clamping: replica.bases[log.runID] ?? 0)))
    }

    func tell(baseOf log: NodeLog, _ replica: Replica, done: @escaping () -> Void = {}) {
        guard !judges(.refusedTelling) else { return tellUntilTaken(log, replica, done: done) }
        let known = max(replica.known[log.runID]?.base ?? 0, Int64(clamping: replica.bases[log.runID] ?? 0))
        guard log.base > known, defect != .baseUntold else { return done() }
        let base = UInt64(log.base)
        trace.note("base", replica.life, base, log.runID)
        let runID = log.runID
        replica.bases[runID] = base
        askAll(replica) { register in
            register.tell(base: base, of: runID)
        } done: { _ in
            done()
        }
    }

    /// Asks the living peers, and takes in what replicas have told the registers; half a second at most.
    func askAboutNumbers(of log: NodeLog, _ replica: Replica, done: @escaping () -> Void) {
        let peers = replica.peers.subtracting([replica.id])
        let readWhatWasTold = { [unowned self] in
            readProgress(replica) { [unowned self] _ in
                inform(log, replica)
                done()
            }
        }
        guard !peers.isEmpty else { return readWhatWasTold() }
        ledger.requests += 1
        let nonce = "q\(ledger.requests)"
        replica.numberQuestions[nonce] = peers
        publish("check:v1:\(nonce):\(log.runID):\(replica.id)", replica)
        awaitNumbers(nonce, until: now + .milliseconds(500), replica, done: readWhatWasTold)
    }

    private func awaitNumbers(_ nonce: String, until end: Duration, _ replica: Replica, done: @escaping () -> Void) {
        guard now < end, replica.numberQuestions[nonce]?.isEmpty == false else {
            replica.numberQuestions[nonce] = nil
            return done()
        }
        after(.milliseconds(10), in: replica) { [unowned self] in awaitNumbers(nonce, until: end, replica, done: done) }
    }

    /// A question or an answer on the control channel.
    func hearNumbers(_ text: String, _ replica: Replica) {
        let parts = text.split(separator: ":").map(String.init)
        if parts.count == 5, parts[0] == "check", parts[4] != replica.id {
            guard replica.answeredNumbers.insert(parts[2]).inserted else { return }
            check(parts[3], replica) { [unowned self] in publish("checked:v1:\(parts[2]):\(replica.id)", replica) }
        } else if parts.count == 4, parts[0] == "checked" {
            replica.numberQuestions[parts[2]]?.remove(parts[3])
        }
    }

    /// Marks the stream of a process, so that resets and forged messages are known, and tells the
    /// registers.
    private func check(_ runID: String, _ replica: Replica, done: @escaping () -> Void) {
        guard let feed = replica.feeds.first(where: { $0.log?.runID == runID }), let connection = feed.connection,
            let log = feed.log, feed.isNumbered, !feed.isSilent
        else { return done() }
        let answer = { [unowned self] in tell(baseOf: log, replica, done: done) }
        guard feed.mark == nil else { return feed.awaitingMark.append(answer) }
        feed.awaitingMark.append(answer)
        feed.isMarkForPeer = true
        mark(feed, replica, connection)
    }
}
