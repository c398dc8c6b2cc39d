import Lapse
import LeaderElection
import Timing

/// The body of a term: read where the last leader stood, move the cursors, drain, write, return.
extension SimulatedWorld {
    func begin(_ info: LeaseMachine.TermInfo, _ replica: Replica) {
        checkBegin(info, replica)
        let body = Body(info, order: ledger.beginTerm(), lanes: Self.lanes)
        trace.note("term", replica.life, info.token.rawValue)
        if replica.body != nil { ledger.violate(.i4, "\(replica.id) begins a term before its last body returned") }
        replica.body = body
        body.begunReading = now
        askForLapsedLocks(replica, body)
        readLastProgress(replica, body)
    }

    func leaseIsValid(_ replica: Replica, _ body: Body) -> Bool {
        !body.leaseEnded && body.window.isOpen(at: replica.clock.read(now))
    }

    private func readLastProgress(_ replica: Replica, _ body: Body) {
        guard leaseIsValid(replica, body), !body.drainRequested else { return returnBody(replica, body) }
        readProgress(replica, fencing: body.info.token.rawValue) { [unowned self] read in
            guard replica.body === body, body.phase == .reading else { return }
            if read == nil, now - body.begunReading > replica.lease * 1.75 { step(.resign, replica) }
            guard let read, leaseIsValid(replica, body), !body.drainRequested else {
                after(.milliseconds(50), in: replica) { [unowned self] in
                    if replica.body === body, body.phase == .reading { readLastProgress(replica, body) }
                }
                return
            }
            let progress = Progress.newest([read.entries, replica.known])
            begin(progress, replica, body, beCareful(read, progress, replica, body))
        }
    }

    private func begin(_ read: [String: Progress], _ replica: Replica, _ body: Body, _ care: SimulatedCare?) {
        let progress = defect == .cursorNotRestored ? [:] : read
        replica.logs.adopt(bases: replica.bases)
        ownLocksBegin(progress, replica, body)
        replica.deliveryMachine.begin(
            token: body.info.token, progress: progress, now: replica.clock.milliseconds(now))
        body.care = care
        body.phase = .running
        body.began = now
        replica.lastToken = body.info.token.rawValue
        sayWhetherWhole(replica, body)
        writeProgressSoon(replica, body)
        reconcileSoon(replica, body)
        closeSoon(replica, body)
        pump(replica)
    }

    // MARK: - The end

    func drain(_ replica: Replica) {
        guard let body = replica.body else { return }
        trace.note("drain", replica.life)
        body.drainRequested = true
        ledger.termsGivenBack.insert(body.order)
        if defect == .releaseBeforeDrain { returnAtOnce(replica, body) }
        guard body.phase == .running else { return }
        replica.deliveryMachine.stop()
        guard leaseIsValid(replica, body) else { return cancelBody(replica, body) }
        body.phase = .draining
        for lane in body.lanes where lane.running == nil { goOn(lane, replica, body) }
        checkDrained(replica, body)
        after(.seconds(1), in: replica) { [unowned self] in
            if body.phase == .draining { cancelBody(replica, body) }
        }
    }

    /// The lease is over: the body's task is cancelled.
    func endTerm(_ replica: Replica) {
        // A body that returned by itself is gone already.
        guard let body = replica.body else { return }
        body.leaseEnded = true
        if defect == .releaseBeforeDrain { returnAtOnce(replica, body) }
        switch body.phase {
        case .running, .draining:
            replica.deliveryMachine.stop()
            cancelBody(replica, body)
        case .reading: returnBody(replica, body)
        case .cancelled, .writing, .over: break
        }
    }

    func checkDrained(_ replica: Replica, _ body: Body) {
        if body.phase == .draining, replica.deliveryMachine.handedOut == 0 { cancelBody(replica, body) }
    }

    private func cancelBody(_ replica: Replica, _ body: Body) {
        body.phase = .cancelled
        ledger.termEnds[body.order] = now
        for lane in body.lanes {
            guard let handler = lane.running else {
                if !body.batch.isEmpty { goOn(lane, replica, body) }
                lane.isOver = true
                continue
            }
            guard handler.heedsCancellation || !handler.isCalled else { continue }
            after(random.milliseconds(1...150), in: replica) { [unowned self] in
                if lane.running === handler, handler.isCalled {
                    handlerEnds(handler, lane, replica, body, fails: true, isCutShort: true)
                }
            }
        }
        tryFinish(replica, body)
    }

    func tryFinish(_ replica: Replica, _ body: Body) {
        guard body.phase == .cancelled, body.lanes.allSatisfy({ $0.running == nil }) else { return }
        body.phase = .writing
        let final = falsified(replica.deliveryMachine.progress(), body)
        learn(final, replica)
        replica.deliveryMachine.end()
        sayThatItLives(replica, body)
        guard leaseIsValid(replica, body) else { return returnBody(replica, body) }
        handOver(final, replica, body, ProgressHandOver(patience: replica.lease * 1.75, now: now))
    }

    /// Tried again while the lease lasts and `ProgressHandOver` says.
    private func handOver(_ final: [Progress], _ replica: Replica, _ body: Body, _ state: ProgressHandOver) {
        guard leaseIsValid(replica, body) else { return returnBody(replica, body) }
        writeProgress(final, replica, body) { [unowned self] outcome in
            var state = state
            let step = state.wrote(outcome, isRefused: registers.contains(where: \.refusesWrites), now: now)
            if step == .giveUp || step == .tryAgain(tells: true), leaseIsValid(replica, body) {
                share(final, replica, body)
            }
            guard case .tryAgain = step else { return returnBody(replica, body) }
            after(.milliseconds(50), in: replica) { [unowned self] in handOver(final, replica, body, state) }
        }
    }

    private func returnBody(_ replica: Replica, _ body: Body) {
        guard replica.body === body, body.phase != .over else { return }
        body.phase = .over
        if ledger.termEnds[body.order] == nil { ledger.termEnds[body.order] = now }
        replica.body = nil
        if !body.hasReturned { step(.bodyReturned(.returned), replica) }
    }

    /// The planted mistake: the elector hears that the body has returned while its handlers go on.
    private func returnAtOnce(_ replica: Replica, _ body: Body) {
        guard !body.hasReturned else { return }
        body.hasReturned = true
        after(.microseconds(1), in: replica) { [unowned self] in step(.bodyReturned(.returned), replica) }
    }
}
