import Lapse
import LeaderElection
import Timing

/// The lease machine of each replica, between its clock and the registers.
extension SimulatedWorld {
    func makeReplica(_ place: Int, _ clock: ReplicaClock) throws -> Replica {
        lives += 1
        var map = Array(registers.indices)
        if defect == .quorumFromReachable {
            // The largest odd number of those that answer now.
            let reachable = map.filter { register in
                !registers[register].isDown
                    && !network.partitions.contains {
                        $0.place == place && $0.until > now && $0.registers & (1 << register) != 0
                    }
            }
            map = Array(reachable.prefix(max(1, reachable.count - (reachable.count + 1) % 2)))
            if map.isEmpty { map = [0] }
        }
        let isStranger = conditions.hasStranger && place == 0
        if isStranger { map = [registers.count / 2] }
        // Registers of its own: nothing but the signatures tells.
        if conditions.strangerLease != nil { map = isStranger ? [registers.count - 1] : Array(map.dropLast()) }
        let lease = lease(isStranger: isStranger)
        let settings = try LeaseMachine.Settings(
            name: "sim", id: "r\(place)-\(lives)", rules: rules(isStranger: isStranger, lease),
            registers: map.count, timing: lease == conditions.lease ? timing : LeaseTiming(ttl: lease),
            drainLimit: .seconds(2))
        return Replica(
            place: place, life: lives, clock: clock, settings: settings, registerMap: map,
            random: .seeded(random.next()), filter: filter, lanes: Self.lanes, conditions: conditions)
    }

    private func lease(isStranger: Bool) -> Duration {
        let isLater = lives > schedule.replicas
        return (isStranger ? conditions.strangerLease : isLater ? conditions.laterLease : nil) ?? conditions.lease
    }

    private func rules(isStranger: Bool, _ lease: Duration) -> String {
        guard defect != .rulesUncompared else { return Self.rules }
        if isStranger { return "other" }
        return lease == conditions.lease ? Self.rules : "\(Self.rules) \(lease)"
    }

    func step(_ event: LeaseMachine.Event, _ replica: Replica) {
        guard replica.isAlive else { return }
        var reading = replica.clock.read(now)
        var trips: [Trip] = []
        if defect == .deadlineFromResponse { (reading, trips) = readLate(event, replica, reading) }
        for effect in replica.machine.step(event, now: reading) { carryOut(effect, replica, &trips) }
        noteLapse(replica)
        if case .stopped = replica.machine.state, replica.isStopping { leave(replica) }
    }

    /// The planted mistake: the clock is read when the answers have come, not before the first byte was
    /// sent.
    private func readLate(
        _ event: LeaseMachine.Event, _ replica: Replica, _ reading: ClockReading
    ) -> (ClockReading, [Trip]) {
        var trial = replica.machine
        var trips: [Trip] = []
        for case .send(let request) in trial.step(event, now: reading) {
            switch request.operation {
            case .acquire, .renew: trips.append(trip(replica, register: replica.registerMap[request.register]))
            default: break
            }
        }
        guard !trips.isEmpty else { return (reading, []) }
        let durations = trips.map { $0.isLost ? timing.operationTimeout : $0.there + $0.back }.sorted()
        let late = min(durations[min(durations.count / 2, durations.count - 1)], timing.operationTimeout)
        return (ClockReading(monotonic: reading.monotonic + late, wall: reading.wall + late), trips)
    }

    private func noteLapse(_ replica: Replica) {
        guard let body = replica.body, body.runningHandlers > 0, body.leaseEnded,
            replica.clock.read(now).monotonic >= body.window.deadline.monotonic
        else { return }
        replica.lapsedWhileRunning.insert(body.info.claim.value)
    }

    private func carryOut(_ effect: LeaseMachine.Effect, _ replica: Replica, _ trips: inout [Trip]) {
        switch effect {
        case .send(let request): send(request, replica, &trips)
        case .wake(let reading):
            replica.timer += 1
            guard let reading else { return }
            let number = replica.timer
            after(max(.zero, replica.clock.time(of: reading) - now), in: replica) { [unowned self] in
                if replica.timer == number { step(.timer, replica) }
            }
        case .beginTerm(let info): begin(info, replica)
        case .extendTerm(let window, _): replica.body?.window = window
        case .drain: drain(replica)
        case .endTerm(let reason):
            trace.note("ended", replica.life, UInt64(reason.isLoss ? 1 : 0))
            endTerm(replica)
        case .note(.overran):
            // The process exits: another replica may lead by now.
            trace.note("overran", replica.life)
            kill(replica.place, away: .milliseconds(100))
        case .note, .stopped: break
        }
    }

    private func send(_ request: LeaseMachine.Request, _ replica: Replica, _ trips: inout [Trip]) {
        checkRelease(request.operation, replica)
        let number = beginTry(request.operation, replica)
        if let answer = answerByRules(request.operation, replica) ?? answerByTries(request.operation, number) {
            return after(.microseconds(10), in: replica) { [unowned self] in step(.answered(request, answer), replica) }
        }
        let register = replica.registerMap[request.register]
        let isDrawn: Bool
        switch request.operation {
        case .acquire, .renew: isDrawn = !trips.isEmpty
        default: isDrawn = false
        }
        let trip = isDrawn ? trips.removeFirst() : trip(replica, register: register)
        let told = asksForVote(request.operation, register, replica)
        guard !trip.isLost else { return }
        after(trip.there) { [unowned self] in arrive(request, register, replica, trip, number, told) }
        if let again = trip.again {
            after(trip.there + again) { [unowned self] in _ = apply(request.operation, register) }
        }
    }

    private func arrive(
        _ request: LeaseMachine.Request, _ register: Int, _ replica: Replica, _ trip: Trip, _ number: UInt64?,
        _ told: @escaping (LeaseMachine.Outcome) -> Void
    ) {
        guard !registers[register].isBlackHole else { return }
        var outcome =
            registers[register].isDown ? .failed(.unreachable("down")) : apply(request.operation, register)
        if trip.isCut { outcome = .failed(.unreachable("cut")) }
        guard !trip.answerIsLost else { return }
        let back = trip.back + lateness(of: outcome)
        for _ in 0..<(trip.isDoubled ? 2 : 1) {
            after(back, in: replica) { [unowned self] in
                told(outcome)
                answered(request, outcome, number, register, replica)
            }
        }
    }

    func apply(_ operation: LeaseMachine.Operation, _ register: Int) -> LeaseMachine.Outcome {
        guard !registers[register].isDown else { return .failed(.unreachable("down")) }
        announceLapse(register)
        defer { watchLock(register) }
        let before = registers[register].held(at: now)
        let (outcome, wakes) = registers[register].apply(operation, at: now)
        // I5, seen from outside: what another held is as it was.
        if let before, before.value != operation.claim.value, registers[register].held(at: now) != before {
            ledger.violate(
                .i5, "register \(register): the lock of \(before.value) was changed for \(operation.claim.value)")
        }
        if outcome == .confirmed(true) { ledger.confirmations[operation.claim.value, default: []].insert(register) }
        if wakes {
            for other in replicas {
                after(random.microseconds(300...1_500), in: other) { [unowned self] in step(.wakeUp, other) }
            }
        }
        return outcome
    }

    private func checkRelease(_ operation: LeaseMachine.Operation, _ replica: Replica) {
        guard case .release(let claim, _) = operation else { return }
        if let body = replica.body, body.info.claim == claim, body.runningHandlers > 0 {
            ledger.violate(
                .i4, "\(replica.id) releases term \(body.info.term), \(body.runningHandlers) handlers running")
        }
        if replica.lapsedWhileRunning.contains(claim.value) {
            ledger.violate(.i4, "\(replica.id) releases after a lapse with a handler running")
        }
        if claim.id != replica.id { ledger.violate(.i5, "\(replica.id) releases a claim of \(claim.id)") }
    }

    /// I1, at every step.
    func checkLeaders() {
        var leader: Replica?
        for replica in replicas where replica.mayCallHandlers(at: now) {
            if let leader { ledger.violate(.i1, "\(leader.id) and \(replica.id) may both call handlers") }
            leader = replica
            if isHealed { ledAfterHealing = true }
        }
    }

    func checkBegin(_ info: LeaseMachine.TermInfo, _ replica: Replica) {
        for other in replicas where other !== replica && other.isAlive {
            guard let body = other.body, body.window.isHeld(at: other.clock.read(now)) else { continue }
            ledger.violate(.i1, "\(replica.id) begins term \(info.term) within the lease of \(other.id)")
        }
        ledger.checkToken(info, registers: conditions.hasStranger ? replica.registerMap.count : registers.count)
    }
}
