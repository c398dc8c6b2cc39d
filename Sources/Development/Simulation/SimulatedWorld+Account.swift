import Lapse
import LeaderElection

/// The account: what handlers get, what is passed over, what is lost, and that the sums are right.
extension SimulatedWorld {
    func handlerBegins(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
        trace.note("handler", replica.life, delivery.ordinal, delivery.runID)
        // Unsafe in name only: a byte has no padding.
        if KeyFilter.isOwn(unsafe delivery.key.bytes.span.bytes) {
            ledger.violate(.i11, "\(delivery.key) reached a handler")
        }
        if !replica.mayCallHandlers(at: now) { ledger.violate(.i1, "\(replica.id) calls a handler without a lease") }
        if !body.keysInHand.insert(keyInHand(delivery)).inserted {
            ledger.violate(.i10, "two handlers at once for \(delivery.key)")
        }
        guard delivery.hasPosition else { return }
        checkPromptness(delivery, replica, body)
        let position = body.lastOrdinal[delivery.runID, default: [:]][delivery.key.bytes] ?? 0
        if delivery.ordinal < position
            || body.finished.contains(Position(runID: delivery.runID, ordinal: delivery.ordinal))
        {
            ledger.violate(.i10, "\(delivery.key) number \(delivery.ordinal) after \(position)")
        }
        body.lastOrdinal[delivery.runID, default: [:]][delivery.key.bytes] = delivery.ordinal
        guard let process = ledger.processes[delivery.runID] else { return }
        if process.isForeign { ledger.violate(.foreign, "\(delivery.key) of \(delivery.runID) reached a handler") }
        guard delivery.ordinal <= process.announced.count else {
            guard process.isExact else { return }
            return ledger.violate(.position, "\(delivery.runID):\(delivery.ordinal) was never announced")
        }
        let announcement = process.announced[Int(delivery.ordinal) - 1]
        guard process.isExact else { return }
        if announcement.key != delivery.key.bytes {
            ledger.violate(
                .position,
                "\(delivery.runID):\(delivery.ordinal) is \(String(decoding: announcement.key, as: UTF8.self)), handled as \(delivery.key)"
            )
        }
        // A replica that was stopped itself could not notice the silence.
        let isWitnessed =
            !allowances.contains(.stoppedWitness) || replicas.allSatisfy { now - $0.lastTrouble > .seconds(8) }
        if announcement.isRepeat, isWitnessed {
            ledger.violate(.repeat, "\(delivery.key) was announced by a deposed master, and handled")
        }
    }

    /// Batches are ordered by node: two nodes' may have a key in common, as after a failover.
    func keyInHand(_ delivery: Delivery) -> [UInt8] {
        let key = delivery.key.bytes
        return conditions.batchLimit == nil ? key : key + [0] + Array(delivery.node.utf8)
    }

    func handled(_ delivery: Delivery, _ body: Body) {
        ledger.handledKeys.insert(delivery.key.bytes)
        if companionRules.companion(of: delivery.key.bytes) != nil { ledger.handledTimers.insert(delivery.key.bytes) }
        guard delivery.hasPosition, let process = ledger.processes[delivery.runID],
            delivery.ordinal <= process.announced.count
        else { return }
        let index = Int(delivery.ordinal) - 1
        if process.announced[index].handled > 0 { checkTwice(delivery, process.announced[index], body) }
        process.announced[index].handled += 1
        process.announced[index].handledBy = body.order
        process.announced[index].handledAt = now
    }

    /// What the machine wants done.
    func carryOutActions(_ replica: Replica, _ body: Body) {
        let actions = replica.deliveryMachine.takeActions()
        for (node, count) in actions.ignored { body.account[server("\(node)"), default: NodeSum()].ignored += count }
        for (node, count) in actions.unannounced {
            body.account[server("\(node)"), default: NodeSum()].unannounced += count
        }
        for hole in actions.holes { repair(hole, replica, body) }
        for delivery in actions.surplus where delivery.hasPosition {
            body.lost[delivery.runID, default: []].insert(delivery.ordinal)
            guard let process = ledger.processes[delivery.runID], delivery.ordinal <= process.announced.count else {
                continue
            }
            process.announced[Int(delivery.ordinal) - 1].isLost = true
        }
        if !actions.doubtful.isEmpty { lookSoon(replica) }
    }

    /// A hole is as full as it will ever be: what it still lacks is called lost.
    func report(_ hole: Repairer.Hole, _ lost: UInt64, _ replica: Replica, _ body: Body) {
        let log = replica.logs[hole.runID]
        let missing = hole.ordinals.filter { hole.lacks($0) && log?.entry($0) == nil }
        trace.note("gap", replica.life, lost)
        body.lost[hole.runID, default: []].formUnion(missing)
        let isExact = ledger.processes[hole.runID]?.isExact ?? true
        if isExact, lost != UInt64(missing.count) {
            ledger.violate(.i9, "\(lost) of \(hole.runID):\(hole.ordinals) called lost, missing are \(missing)")
        }
        guard let process = ledger.processes[hole.runID] else { return }
        checkSilentCount(hole, missing, process, replica)
        guard process.isExact else { return }
        checkOwnLocks(hole, missing, process, replica)
        for ordinal in missing {
            guard ordinal <= process.announced.count else {
                ledger.violate(.i9, "\(hole.runID):\(ordinal) called lost, never announced")
                continue
            }
            let index = Int(ordinal) - 1
            checkLoss(ordinal, process, replica, body)
            if process.announced[index].handled > 0,
                !allowances.contains(.unwrittenWord) || isAccountedFor(ordinal, hole.runID, body)
            {
                ledger.violate(.i9, "\(hole.runID):\(ordinal) called lost, and was handled before")
            }
            if let peer = replicas.first(where: { $0 !== replica && had(ordinal, hole.runID, $0, asker: replica) }) {
                ledger.violate(.i8, "\(hole.runID):\(ordinal) called lost, \(peer.id) has it")
            }
            process.announced[index].isLost = true
        }
    }

    /// Whether the progress that the registers hold says that it is finished.
    private func isAccountedFor(_ ordinal: UInt64, _ runID: String, _ body: Body) -> Bool {
        let said = registers.indices.count { register in
            registers[register].cursor(runID).map { $0.settled >= ordinal } ?? false
        }
        return said > registers.count / 2
    }

    /// Whether a peer in reach could have told.
    private func had(_ ordinal: UInt64, _ runID: String, _ peer: Replica, asker: Replica) -> Bool {
        let mayBeAskedInVain =
            now - peer.bornAt < .seconds(6) || now - peer.lastTrouble < .seconds(6) || hasTrouble(asker)
            || now - lastNodeTrouble < .seconds(6)
        // There the stops are what is judged: the peer goes on long before the asker does.
        let isExcused = allowances.contains(.youngPeer) && !judges(.stoppedQuestion)
        guard peer.isAlive, !peer.isPaused(now), !mayBeAskedInVain || !isExcused,
            let entry = peer.logs[runID]?.entry(ordinal)
        else { return false }
        return !entry.provenance.isDoubted
    }

    /// Messages of this replica may have been lost lately, or those of a peer.
    func hasTrouble(_ replica: Replica) -> Bool {
        now - network.lastTrouble < .seconds(6)
            || replicas.contains { now - $0.lastTrouble < .seconds(6) || now - $0.bornAt < .seconds(4) || !$0.isAlive }
    }

    /// I9, for each node: passed = handled + pending + lost + ignored.
    func checkAccount(_ replica: Replica, _ body: Body) {
        // What the replica itself says must add up, whatever happened to the counters.
        for log in replica.deliveryMachine.accounts() where log.account.imbalance != 0 {
            ledger.violate(.i9, "\(log.node): the published account is off by \(log.account.imbalance): \(log.account)")
        }
        for log in replica.logs.all {
            guard let cursor = replica.deliveryMachine.cursor(log.runID),
                let began = replica.deliveryMachine.opened[log.runID]
            else {
                continue
            }
            if let process = ledger.processes[log.runID], process.isExact, cursor.through > process.announced.count {
                return ledger.violate(
                    .i9,
                    "the cursor of \(log.runID) stands at \(cursor.through), announced were \(process.announced.count)")
            }
            // Kept by log: one that is finished and over may leave the book.
            body.sums[log.runID] = LogSum(
                node: server(log.node),
                passed: Int(clamping: cursor.through) - Int(clamping: began.through) + began.pending.count,
                open: cursor.pending.count, lost: body.lost[log.runID]?.count { $0 <= cursor.through } ?? 0)
        }
        var sums: [String: LogSum] = [:]
        for sum in body.sums.values { sums[sum.node, default: LogSum(node: sum.node)].add(sum) }
        // After a counter reset that a replica missed, a number may stand for two expirations.
        let inexact = replica.logs.all.filter { !(ledger.processes[$0.runID]?.isExact ?? true) }.map { server($0.node) }
        for (node, sum) in sums where !inexact.contains(node) {
            let account = body.account[node] ?? NodeSum()
            let settled = account.finished + sum.open + sum.lost + Int(account.ignored + account.unannounced)
            if sum.passed != settled {
                ledger.violate(
                    .i9,
                    "\(node): \(sum.passed) passed, \(account.finished) handled, \(sum.open) pending, \(sum.lost) lost, \(account.ignored) ignored"
                )
            }
        }
    }

    // MARK: - The end

    /// Whether everything has been settled that should be, so that the run may end before its time.
    func checkDone() {
        ledger.isDone = ledAfterHealing && unsettled() == nil
    }

    func finalCheck() {
        if !ledAfterHealing { return ledger.violate(.i6, "no leader after the faults had ended") }
        if let (invariant, text) = unsettled() { ledger.violate(invariant, text) }
    }

    /// What is still owed.
    private func unsettled() -> (Invariant, String)? {
        let alive = Set(replicas.filter(\.isAlive).map(\.life))
        for (runID, process) in ledger.processes.sorted(by: { $0.key < $1.key })
        where process.isExact || judgesKeys && !process.isUndecidable {
            for (index, one) in process.announced.enumerated() {
                guard one.isWanted, !one.isRepeat, !one.isDeposed, !one.hearers.isDisjoint(with: alive) else {
                    continue
                }
                let isSettled =
                    process.isExact ? one.handled > 0 || one.isLost : ledger.handledKeys.contains(one.key)
                if isSettled { continue }
                let isPassed = replicas.contains { $0.hasPassed(UInt64(index + 1), runID) }
                return (
                    isPassed ? .i13 : .i8,
                    "\(runID):\(index + 1) was heard by \(one.hearers.sorted()), not handled, not called lost"
                )
            }
        }
        if let poison = poisonLeft() { return (.poison, poison) }
        for shard in shards {
            for companion in shard.companions {
                guard let timer = companionRules.rules[0].timer(of: companion),
                    !shard.timers.values.contains(where: { $0.timer.key == timer }),
                    !ledger.handledTimers.contains(timer)
                else { continue }
                return (
                    .companion, "\(String(decoding: companion, as: UTF8.self)) is left, its timer gone, not handled"
                )
            }
        }
        return nil
    }
}
