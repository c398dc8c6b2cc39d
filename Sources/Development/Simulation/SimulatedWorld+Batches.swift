import Lapse
import LeaderElection
import Timing

/// One call of a batch handler, expiration by expiration.
final class BatchCall {
    let batch: NodeBatch
    /// It gives up before this one.
    let end: Int
    let fails: Bool
    /// Each is noted before it begins.
    let isCareful: Bool
    /// What it writes to checks tokens.
    let isFenced: Bool
    var next = 0
    var handled: [Int] = []
    /// Of those that were not handled; later ones of the batch must not overtake them.
    var keys: Set<[UInt8]> = []
    /// No longer of this call: they wait, or are dead letters.
    var seenTo: Set<Int> = []
    /// Effects that came after the lease.
    var late = 0

    init(_ batch: NodeBatch, end: Int, fails: Bool, isCareful: Bool, isFenced: Bool) {
        self.batch = batch
        self.end = end
        self.fails = fails
        self.isCareful = isCareful
        self.isFenced = isFenced
    }

    var list: DeliveryList { batch.deliveries }
}

/// Lanes of a batch handler.
extension SimulatedWorld {
    func goOnInBatches(_ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        guard lane.running == nil, !lane.isOver else { return }
        let limit = min(conditions.batchLimit ?? NodeBatch.limit, NodeBatch.limit)
        guard let batch = replica.deliveryMachine.takeBatch(upTo: limit) else {
            lane.isOver = replica.deliveryMachine.phase != .running
            return
        }
        switch laneStep(replica, body) {
        case .begin: call(batch, lane, replica, body)
        case .wait:
            replica.deliveryMachine.giveBack(batch)
            pumpLater(replica, body)
        case .leave:
            replica.deliveryMachine.giveBack(batch)
            lane.isOver = true
        }
    }

    private func call(_ batch: NodeBatch, _ lane: SimulatedLane, _ replica: Replica, _ body: Body) {
        checkTurn(batch, body)
        if defect == .nodeNotAwaited { replica.deliveryMachine.isBack(batch) }
        let list = batch.deliveries
        let isMoody = handlers.until > now
        let handler = RunningHandler(list[0], heedsCancellation: random.chance(85))
        handler.isCalled = true
        let call = BatchCall(
            batch, end: random.chance(15) ? random.pick(list.count + 1) : list.count,
            fails: isMoody && random.chance(handlers.failing), isCareful: body.care?.isNeeded ?? false,
            isFenced: random.chance(50))
        handler.call = call
        lane.running = handler
        after(isMoody ? handlers.slower : .microseconds(100), in: replica) { [unowned self] in
            goOn(call, handler, lane, replica, body)
        }
    }

    /// The handler asks for its lease before each effect.
    private func goOn(
        _ call: BatchCall, _ handler: RunningHandler, _ lane: SimulatedLane, _ replica: Replica, _ body: Body
    ) {
        guard lane.running === handler else { return }
        while call.next < call.list.count, call.keys.contains(call.list[call.next].key.bytes) { call.next += 1 }
        let asks = defect != .leaseAskedOnce || call.next == 0
        guard call.next < (call.isCareful ? call.list.count : call.end), !asks || leaseIsValid(replica, body) else {
            return end(call, lane, replica, body, isCutShort: false)
        }
        let delivery = call.list[call.next]
        guard call.isCareful else { return effect(of: delivery, call, handler, lane, replica, body) }
        mayBegin(delivery, replica, body) { [unowned self] step in
            guard lane.running === handler else { return }
            switch step {
            case .begin: return effect(of: delivery, call, handler, lane, replica, body)
            case .leave: return end(call, lane, replica, body, isCutShort: true)
            case .isSeenTo:
                call.seenTo.insert(call.next)
                call.keys.insert(delivery.key.bytes)
                goOn(call, handler, lane, replica, body)
            }
        }
    }

    private func effect(
        of delivery: Delivery, _ call: BatchCall, _ handler: RunningHandler, _ lane: SimulatedLane,
        _ replica: Replica, _ body: Body
    ) {
        let key = delivery.key.bytes
        handlerBegins(delivery, replica, body)
        guard !diesOver(handler, delivery, lane, replica) else { return }
        let time = random.chance(92) ? random.microseconds(100...6_000) : random.milliseconds(6...200)
        after(time, in: replica) { [unowned self] in
            guard lane.running === handler else { return }
            body.keysInHand.remove(keyInHand(delivery))
            ended(delivery, body)
            if !leaseIsValid(replica, body) { call.late += 1 }
            if call.late > 1 { ledger.violate(.i1, "\(call.late) effects of one batch after its lease") }
            let isAccepted = !call.isFenced || ledger.effect(body.info.token, order: body.order)
            if isAccepted, !(call.fails && random.chance(50)) {
                handled(delivery, body)
                call.handled.append(call.next)
            } else {
                call.keys.insert(key)
            }
            call.next += 1
            if !isAccepted {
                step(.resign, replica)
                return end(call, lane, replica, body, isCutShort: false)
            }
            goOn(call, handler, lane, replica, body)
        }
    }

    /// What was handled counts first; the rest is tried again, each alone, or is the next leader's.
    func end(
        _ call: BatchCall, _ lane: SimulatedLane, _ replica: Replica, _ body: Body, isCutShort: Bool
    ) {
        guard lane.running?.call === call else { return }
        lane.running = nil
        let list = call.list
        if call.next < list.count {
            body.keysInHand.remove(keyInHand(list[call.next]))
            ended(list[call.next], body)
        }
        body.nodesInHand.remove(list[0].node)
        if defect == .halfIsWhole { call.handled = list.indices.filter { !call.seenTo.contains($0) } }
        replica.deliveryMachine.finish(
            Array(RangeSet(call.handled.map { $0..<$0 + 1 }).ranges), of: call.batch)
        for index in call.handled { count(list[index], body) }
        let handled = Set(call.handled)
        let rest = list.indices.filter { !handled.contains($0) && !call.seenTo.contains($0) }.map { list[$0] }
        for delivery in rest { body.keysTriedAgain.insert(delivery.key.bytes) }
        for index in call.seenTo { body.keysTriedAgain.insert(list[index].key.bytes) }
        if isCutShort || !leaseIsValid(replica, body) || body.phase == .cancelled {
            replica.deliveryMachine.giveBack(rest)
        } else if call.isCareful {
            // Each has failed, or is behind one of its key that has.
            let left = replica.deliveryMachine.suspend(rest, to: replica.clock.read(now).monotonic + .milliseconds(20))
            replica.deliveryMachine.giveBack(left)
            wakeRetries(replica, in: .milliseconds(20))
        } else {
            for delivery in rest { failed(delivery, replica, body) }
        }
        if defect != .nodeNotAwaited { replica.deliveryMachine.isBack(call.batch) }
        laneIsFree(lane, replica, body)
    }

    /// Of one log, in its order within a call and from call to call, and none while another of its node is
    /// on its way. What was tried before, and what waited behind it, comes later.
    private func checkTurn(_ batch: NodeBatch, _ body: Body) {
        let list = batch.deliveries
        let runID = list[0].runID
        if !body.nodesInHand.insert(list[0].node).inserted {
            ledger.violate(.turn, "two batches of \(list[0].node) at once")
        }
        if list.count > NodeBatch.limit { ledger.violate(.turn, "\(list.count) in one batch") }
        for delivery in list {
            if delivery.runID != runID { ledger.violate(.turn, "a batch of \(runID) and \(delivery.runID)") }
            if body.keysTriedAgain.contains(delivery.key.bytes) { continue }
            let last = body.begunThrough[runID] ?? 0
            if delivery.ordinal <= last { ledger.violate(.turn, "\(runID):\(delivery.ordinal) comes after \(last)") }
            body.begunThrough[runID] = delivery.ordinal
        }
    }
}
