import Lapse
import LeaderElection
import Timing

/// The registers' locks as keys of the servers: one that runs out is counted and announced there (81).
extension SimulatedWorld {
    private var locksAreKeys: Bool { judges(.ownLocks) || judges(.lapsedMidTerm) }

    private func lockKey(_ register: Int) -> String { "{lapse-r\(register)}:sim:lock" }

    private func lockHome(_ register: Int) -> SimulatedNode {
        nodes[shards[shard(of: Array(lockKey(register).utf8))].master]
    }

    /// Announces the end of a lock, once it has run out.
    func announceLapse(_ register: Int) {
        guard locksAreKeys, registers[register].lock != nil, registers[register].held(at: now) == nil else {
            return
        }
        registers[register].lapse()
        let node = lockHome(register)
        guard node.answers(now), !node.process.isForeign else { return }
        announce(Timer(key: Array(lockKey(register).utf8), hasCompanion: false), node)
    }

    /// Plans the end of a lock as it is now: it may be extended or given back before.
    func watchLock(_ register: Int) {
        guard locksAreKeys, let lock = registers[register].held(at: now) else { return }
        let left = (lock.until - registers[register].clock(now)) / registers[register].clockRate
        after(left + .milliseconds(1)) { [unowned self] in
            if registers[register].lock == lock { announceLapse(register) }
        }
    }

    /// A term begins: which locks ran out?
    func askForLapsedLocks(_ replica: Replica, _ body: Body) {
        guard locksAreKeys else { return }
        replica.heldLocks.begins(body.info.claim.value)
        let time = { [unowned self] in now }
        askAll(replica) { register in
            register.beginLeading(body.info.claim, at: time())
        } done: { answers in
            if replica.body === body { body.lapsed = answers.indices.filter { (answers[$0] ?? nil) == true } }
        }
    }

    /// - Parameter progress: where the last leader stood.
    func ownLocksBegin(_ progress: [String: Progress], _ replica: Replica, _ body: Body) {
        guard locksAreKeys else { return }
        replica.lapsedLocks = LapsedLocks(body.lapsed.map(lockKey), replica.logs.all)
        for register in body.lapsed {
            let logs = replica.logs.logs(at: lockHome(register).address)
            let wasHeard = LapsedLocks.wasHeard(lockKey(register), in: logs) { progress[$0]?.cursor.through ?? 0 }
            if wasHeard { replica.lapsedLocks.heard(lockKey(register)) }
        }
    }

    func heardLock(_ key: [UInt8], _ replica: Replica) {
        guard locksAreKeys else { return }
        let key = String(decoding: key, as: UTF8.self)
        replica.heldLocks.heard(
            key, isOwn: registers.indices.contains { lockKey($0) == key }, now: replica.clock.read(now).monotonic)
        replica.lapsedLocks.heard(key)
    }

    /// A register is about to be asked for a vote; what is returned takes its answer.
    func asksForVote(
        _ operation: LeaseMachine.Operation, _ register: Int, _ replica: Replica
    ) -> (LeaseMachine.Outcome) -> Void {
        guard locksAreKeys else { return { _ in } }
        let (key, claim) = (lockKey(register), operation.claim)
        if case .release = operation { replica.heldLocks.givesBack(key, claim.value) }
        let grant = HeldLocks.Grant(
            value: claim.value, ttl: claim.ttl, askedAt: replica.clock.read(now).monotonic,
            announced: LapsedLocks.announced(replica.logs.logs(at: lockHome(register).address)))
        return { [unowned self] outcome in
            switch outcome {
            case .acquired(.granted), .confirmed(true), .renewed(.renewed): replica.heldLocks.granted(key, grant)
            case .confirmed(false), .renewed(.lost):
                let through = LapsedLocks.known(replica.logs.logs(at: lockHome(register).address))
                replica.heldLocks.gone(key, claim.value, through: through, now: replica.clock.read(now).monotonic)
            default: break
            }
        }
    }

    /// Makes sure of the locks that seem to have run out on the process of a hole while this term went on.
    func lookAtOwnLocks(_ hole: Repairer.Hole, _ replica: Replica, done: @escaping () -> Void) {
        guard locksAreKeys, let log = replica.logs[hole.runID] else { return done() }
        let suspects = replica.heldLocks.suspects(now: replica.clock.read(now).monotonic)
        let here = registers.indices.filter { suspects.contains(lockKey($0)) && lockHome($0).address == log.address }
        look(here[...], hole, log, replica, done)
    }

    private func look(
        _ suspects: ArraySlice<Int>, _ hole: Repairer.Hole, _ log: NodeLog, _ replica: Replica,
        _ done: @escaping () -> Void
    ) {
        guard let register = suspects.first else { return done() }
        let node = lockHome(register)
        ask(replica, node: node, timeout: .milliseconds(100)) { [unowned self] () -> (holder: String, runID: String) in
            announceLapse(register)
            return (registers[register].held(at: now)?.value ?? "", node.process.runID)
        } done: { [unowned self] reply in
            if let reply, reply.runID == hole.runID {
                let lapse = replica.heldLocks.looked(
                    lockKey(register), holder: reply.holder, runID: hole.runID,
                    through: LapsedLocks.known(replica.logs.logs(at: log.address)),
                    now: replica.clock.read(now).monotonic)
                if let lapse {
                    replica.lapsedLocks.ranOut(
                        lockKey(register), after: lapse.grant.announced, through: lapse.through)
                }
            }
            look(suspects.dropFirst(), hole, log, replica, done)
        }
    }

    /// Where else an own lock may have ended that would be put into this hole.
    func holesOfOwnLocks(
        besides hole: Repairer.Hole, _ end: RepairInquiry.End, _ replica: Replica
    ) -> [Repairer.Hole] {
        guard locksAreKeys, let log = replica.logs[hole.runID] else { return [] }
        return replica.lapsedLocks.besides(
            hole, end, of: log, after: replica.deliveryMachine.throughAtBegin(hole.runID)
        ) { key in
            registers.indices.contains { lockKey($0) == key && lockHome($0).address == log.address }
        }
    }

    /// Own locks take a place in a hole; the ledger, too, takes the two for each other: they cannot be told
    /// apart.
    func fillWithOwnLocks(_ hole: Repairer.Hole, _ end: RepairInquiry.End, _ replica: Replica) {
        guard locksAreKeys, let log = replica.logs[hole.runID], let process = ledger.processes[hole.runID]
        else { return }
        let missing = hole.settled(by: end).clamped(to: 1...UInt64(max(1, process.announced.count))).filter {
            log.entry($0) == nil
        }
        let filled = replica.lapsedLocks.fill(
            hole, end, of: log,
            after: defect == .lockAnywhere ? 0 : replica.deliveryMachine.throughAtBegin(hole.runID),
            look: replica.looks,
            now: replica.clock.milliseconds(now)
        ) { key in
            registers.indices.contains { lockKey($0) == key && lockHome($0).address == log.address }
        }
        for (key, ordinal) in filled {
            trace.note("own lock", replica.life, ordinal, key)
            let bytes = Array(key.utf8)
            // It may have ended in another hole, but not where a replica has it.
            let real = process.announced.lastIndex { $0.key == bytes }.map { UInt64($0 + 1) }
            let isKnown = replicas.contains { peer in
                peer.isAlive && real.flatMap { peer.logs[hole.runID]?.entry($0) } != nil && peer !== replica
            }
            guard let real, missing.contains(ordinal), missing.contains(real) || !isKnown else {
                return ledger.violate(.lock, "\(hole.runID):\(ordinal) is excused by \(key), which did not end there")
            }
            process.announced.swapAt(Int(real) - 1, Int(ordinal) - 1)
        }
    }

    /// What a term was told of must not be called lost.
    func checkOwnLocks(_ hole: Repairer.Hole, _ missing: [UInt64], _ process: NodeProcess, _ replica: Replica) {
        guard locksAreKeys else { return }
        for register in registers.indices
        where judges(.lapsedMidTerm) || replica.lapsedLocks.awaits(lockKey(register)) {
            let bytes = Array(lockKey(register).utf8)
            // The last one: of what a term before was told, that term has not settled anything.
            if let last = process.announced.lastIndex(where: { $0.key == bytes }), missing.contains(UInt64(last + 1)) {
                ledger.violate(.lock, "\(hole.runID):\(last + 1), an own lock, is called lost")
            }
        }
    }

    /// A lock is renewed every third of the lease: it runs out in the last third of this one.
    func lapseUnheard(_ register: Int) {
        let leader = resolve(Fault.leader)
        happen(.partition(replica: leader, registers: 1 << register, for: conditions.lease * 1.5))
        after(conditions.lease * 0.6) { [unowned self] in
            happen(.allFeedsCut(node: lockHome(register).index, for: conditions.lease * 0.5))
        }
    }

    /// Whether what is asked about a key is answered by TRYAGAIN.
    func isStuck(_ key: [UInt8]) -> Bool { now < stuckUntil && SimulatedTopology.slot(of: key) % 2 == 0 }
}
