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
            if read == nil, now - body.begunReading > Self.ttl * 1.75 { step(.resign, replica) }
            guard let read, leaseIsValid(replica, body), !body.drainRequested else {
                after(.milliseconds(50), in: replica) { [unowned self] in
                    if replica.body === body, body.phase == .reading { readLastProgress(replica, body) }
                }
                return
            }
            begin(Progress.newest([read.entries, replica.known]), replica, body)
        }
    }

    private func begin(_ read: [String: Progress], _ replica: Replica, _ body: Body) {
        let progress = defect == .cursorNotRestored ? [:] : read
        replica.logs.adopt(bases: replica.bases)
        ownLocksBegin(progress, replica, body)
        replica.deliveryMachine.begin(
            token: body.info.token, progress: progress, now: replica.clock.milliseconds(now))
        body.phase = .running
        body.began = now
        replica.lastToken = body.info.token.rawValue
        sayWhetherWhole(replica, body)
        writeProgressSoon(replica, body)
        reconcileSoon(replica, body)
        pump(replica)
    }

    // MARK: - Lanes

    /// Lets every lane that waits take what there is.
    func pump(_ replica: Replica) {
        guard let body = replica.body, body.phase == .running || body.phase == .draining else { return }
        for lane in body.lanes where lane.running == nil && !lane.isOver { goOn(lane, replica, body) }
        carryOutActions(replica, body)
        checkAccount(replica, body)
        checkDrained(replica, body)
    }

    private func pumpLater(_ replica: Replica, _ body: Body) {
        guard !body.pumpIsPlanned else { return }
        body.pumpIsPlanned = true
        after(.milliseconds(50), in: replica) { [unowned self] in
            body.pumpIsPlanned = false
            pump(replica)
        }
    }

    private func laneStep(_ replica: Replica, _ body: Body) -> LaneStep {
        LaneStep(
            leaseIsValid: leaseIsValid(replica, body),
            mustEnd: body.drainRequested || body.leaseEnded || body.phase != .running)
    }

    /// What a lane does between two handlers.
    private func goOn(_ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        while lane.running == nil, !lane.isOver {
            if body.batch.isEmpty {
                body.batch = ArraySlice(replica.deliveryMachine.take(conditions.pendingLimit == nil ? Batch.limit : 1))
                if body.batch.isEmpty {
                    lane.isOver = replica.deliveryMachine.phase != .running
                    return
                }
            }
            let step = laneStep(replica, body)
            guard step == .begin else {
                replica.deliveryMachine.giveBack(body.batch)
                body.batch = []
                lane.isOver = step == .leave
                if step == .wait { pumpLater(replica, body) }
                return
            }
            let delivery = body.batch.removeFirst()
            let handler = RunningHandler(delivery, heedsCancellation: random.chance(85))
            lane.running = handler
            prepare(handler, lane, replica, body)
        }
    }

    /// Reads the companion first, where there is a rule.
    private func prepare(_ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        guard let (companion, _) = companionRules.companion(of: handler.delivery.key.bytes) else {
            return call(handler, lane, replica, body)
        }
        let key = handler.delivery.key.bytes
        let shard = self.shard(of: key)
        ask(replica, node: nodes[shards[shard].master], timeout: .milliseconds(300)) { [unowned self] in
            if isStuck(key) { return nil }
            return (exists: shards[shard].companions.contains(companion), timer: timerExists(key, shard))
        } done: { [unowned self] (answer: (exists: Bool, timer: Bool)??) in
            guard lane.running === handler else { return }
            let found = answer ?? nil
            let isSuspicion = handler.delivery.origin == .reconcile
            if let found, isSuspicion, !found.exists || found.timer {
                lane.running = nil
                replica.deliveryMachine.finish(handler.delivery)
            } else if found == nil {
                lane.running = nil
                replica.deliveryMachine.postpone(handler.delivery, to: replica.clock.read(now).monotonic + .seconds(1))
                wakeRetries(replica, in: .seconds(1))
            } else if laneStep(replica, body) == .begin {
                return call(handler, lane, replica, body)
            } else {
                lane.running = nil
                replica.deliveryMachine.giveBack([handler.delivery])
            }
            laneIsFree(lane, replica, body)
        }
    }

    private func call(_ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        handler.isCalled = true
        handlerBegins(handler.delivery, replica, body)
        let isMoody = handlers.until > now
        var duration = random.chance(90) ? random.microseconds(200...20_000) : random.milliseconds(20...700)
        if isMoody { duration += handlers.slower }
        if !handler.heedsCancellation, random.chance(5) { duration += random.milliseconds(500...3_000) }
        let fails = isMoody && random.chance(handlers.failing)
        after(duration, in: replica) { [unowned self] in
            if lane.running === handler { handlerEnds(handler, lane, replica, body, fails: fails, isCutShort: false) }
        }
    }

    private func handlerEnds(
        _ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body, fails: Bool,
        isCutShort: Bool
    ) {
        let delivery = handler.delivery
        lane.running = nil
        body.keysInHand.remove(delivery.key.bytes)
        let isAccepted = isCutShort || ledger.effect(body.info.token, order: body.order)
        if !isCutShort, random.chance(8) {
            // An effect on its way when the handler ends, or sent again by something in between.
            after(random.milliseconds(1...3_000)) { [unowned self] in
                _ = ledger.effect(body.info.token, order: body.order)
            }
        }
        if !isCutShort, isAccepted, !fails {
            handled(delivery, body)
            settleCompanion(delivery, replica)
            finish(delivery, replica, body)
        } else {
            if !isAccepted { step(.resign, replica) }
            if !leaseIsValid(replica, body) || body.phase == .cancelled {
                replica.deliveryMachine.giveBack([delivery])
            } else {
                failed(delivery, replica, body)
            }
        }
        laneIsFree(lane, replica, body)
    }

    private func failed(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
        let policy = RetryPolicy(retries: 5, first: .milliseconds(20), cap: .milliseconds(300))
        let chance = Double(random.pick(1000)) / 1000
        guard let wait = policy.wait(after: delivery.attempt, random: chance) else {
            // The dead letter is written: that is the end of it.
            handled(delivery, body)
            return finish(delivery, replica, body)
        }
        replica.deliveryMachine.retry(delivery, at: replica.clock.read(now).monotonic + wait)
        wakeRetries(replica, in: wait)
    }

    private func wakeRetries(_ replica: Replica, in wait: Duration) {
        after(wait * 1.01, in: replica) { [unowned self] in
            _ = replica.deliveryMachine.releaseDue(now: replica.clock.read(now).monotonic)
            pump(replica)
        }
    }

    private func finish(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
        replica.deliveryMachine.finish(delivery)
        guard delivery.hasPosition else { return }
        body.account[server(delivery.node), default: NodeSum()].finished += 1
        body.finished.insert(Position(runID: delivery.runID, ordinal: delivery.ordinal))
    }

    private func laneIsFree(_ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        guard replica.body === body else { return }
        goOn(lane, replica, body)
        pump(replica)
        checkDrained(replica, body)
        tryFinish(replica, body)
    }

    // MARK: - The end

    func drain(_ replica: Replica) {
        guard let body = replica.body else { return }
        trace.note("drain", replica.life)
        body.drainRequested = true
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

    private func checkDrained(_ replica: Replica, _ body: Body) {
        if body.phase == .draining, replica.deliveryMachine.handedOut == 0 { cancelBody(replica, body) }
    }

    private func cancelBody(_ replica: Replica, _ body: Body) {
        body.phase = .cancelled
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

    private func tryFinish(_ replica: Replica, _ body: Body) {
        guard body.phase == .cancelled, body.lanes.allSatisfy({ $0.running == nil }) else { return }
        body.phase = .writing
        let final = falsified(replica.deliveryMachine.progress(), body)
        replica.deliveryMachine.end()
        guard leaseIsValid(replica, body) else { return returnBody(replica, body) }
        handOver(final, replica, body, since: now)
    }

    /// Tried again while the lease lasts and the registers may yet answer.
    private func handOver(_ final: [Progress], _ replica: Replica, _ body: Body, since began: Duration) {
        guard leaseIsValid(replica, body) else { return returnBody(replica, body) }
        writeProgress(final, replica, body) { [unowned self] outcome in
            guard outcome == .failed, now - began < Self.ttl * 1.75, !registers.contains(where: \.refusesWrites) else {
                return returnBody(replica, body)
            }
            after(.milliseconds(50), in: replica) { [unowned self] in handOver(final, replica, body, since: began) }
        }
    }

    private func returnBody(_ replica: Replica, _ body: Body) {
        guard replica.body === body, body.phase != .over else { return }
        body.phase = .over
        ledger.termEnds[body.order] = now
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
