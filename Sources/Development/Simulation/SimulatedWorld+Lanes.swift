import Lapse
import LeaderElection
import Timing

/// What lanes do while a term lasts: take, prepare, call, and see to what failed.
extension SimulatedWorld {
    /// Lets every lane that waits take what there is.
    func pump(_ replica: Replica) {
        guard let body = replica.body, body.phase == .running || body.phase == .draining else { return }
        for lane in body.lanes where lane.running == nil && !lane.isOver { goOn(lane, replica, body) }
        carryOutActions(replica, body)
        checkAccount(replica, body)
        checkDrained(replica, body)
    }

    func pumpLater(_ replica: Replica, _ body: Body) {
        guard !body.pumpIsPlanned else { return }
        body.pumpIsPlanned = true
        after(.milliseconds(50), in: replica) { [unowned self] in
            body.pumpIsPlanned = false
            pump(replica)
        }
    }

    func laneStep(_ replica: Replica, _ body: Body) -> LaneStep {
        LaneStep(
            leaseIsValid: leaseIsValid(replica, body),
            mustEnd: body.drainRequested || body.leaseEnded || body.phase != .running)
    }

    /// What a lane does between two handlers.
    func goOn(_ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        guard body.phase != .running || now >= body.servesFrom else { return }
        if conditions.batchLimit != nil { return goOnInBatches(lane, replica, body) }
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
            return begin(handler, lane, replica, body)
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
                return begin(handler, lane, replica, body)
            } else {
                lane.running = nil
                replica.deliveryMachine.giveBack([handler.delivery])
            }
            laneIsFree(lane, replica, body)
        }
    }

    /// A careful leader notes it first.
    private func begin(_ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        mayBegin(handler.delivery, replica, body) { [unowned self] step in
            guard lane.running === handler else { return }
            switch step {
            case .begin: return call(handler, lane, replica, body)
            case .leave: replica.deliveryMachine.giveBack([handler.delivery])
            case .isSeenTo: break
            }
            lane.running = nil
            laneIsFree(lane, replica, body)
        }
    }

    private func call(_ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        handler.isCalled = true
        handlerBegins(handler.delivery, replica, body)
        guard !diesOver(handler, handler.delivery, lane, replica) else { return }
        let isMoody = handlers.until > now
        var duration = random.chance(90) ? random.microseconds(200...20_000) : random.milliseconds(20...700)
        if isMoody { duration += handlers.slower }
        if !handler.heedsCancellation, random.chance(5) { duration += random.milliseconds(500...3_000) }
        let fails = isMoody && random.chance(handlers.failing)
        after(duration, in: replica) { [unowned self] in
            if lane.running === handler { handlerEnds(handler, lane, replica, body, fails: fails, isCutShort: false) }
        }
    }

    func handlerEnds(
        _ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body, fails: Bool,
        isCutShort: Bool
    ) {
        if let call = handler.call { return end(call, lane, replica, body, isCutShort: isCutShort) }
        let delivery = handler.delivery
        lane.running = nil
        ended(delivery, body)
        body.keysInHand.remove(keyInHand(delivery))
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

    func failed(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
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

    func wakeRetries(_ replica: Replica, in wait: Duration) {
        after(wait * 1.01, in: replica) { [unowned self] in
            _ = replica.deliveryMachine.releaseDue(now: replica.clock.read(now).monotonic)
            pump(replica)
        }
    }

    func finish(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
        replica.deliveryMachine.finish(delivery)
        count(delivery, body)
    }

    /// In the term's own account.
    func count(_ delivery: Delivery, _ body: Body) {
        guard delivery.hasPosition else { return }
        body.account[server(delivery.node), default: NodeSum()].finished += 1
        body.finished.insert(Position(runID: delivery.runID, ordinal: delivery.ordinal))
    }

    func laneIsFree(_ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        guard replica.body === body else { return }
        goOn(lane, replica, body)
        pump(replica)
        checkDrained(replica, body)
        tryFinish(replica, body)
    }
}
