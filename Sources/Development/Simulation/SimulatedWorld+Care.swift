import Lapse
import LeaderElection
import Timing

/// What a leader does with an expiration in hand: see `CarefulStep`.
enum SimulatedCareStep { case begin, leave, isSeenTo }

/// A leader whose predecessors died one after the other, around the product's own ``Suspects``.
final class SimulatedCare {
    var suspects: Suspects
    /// It has not dealt with all that it found.
    var isNeeded = true
    var isNoting = false
    /// Lanes that wait for the next note.
    var waiters: [() -> Void] = []

    init(_ suspects: Suspects) { self.suspects = suspects }
}

extension SimulatedWorld {
    /// As the manual says: two of which nothing tells over what they died, and three that noted it.
    static let mostDeaths = 5

    func beCareful(
        _ reading: ProgressReading, _ progress: [String: Progress], _ replica: Replica, _ body: Body
    ) -> SimulatedCare? {
        let token = body.info.token.rawValue
        guard judges(.poison), var suspects = Suspects.atBegin(of: token, reading, progress) else { return nil }
        if defect == .suspectsForgotten { suspects = Suspects(token: token) }
        trace.note("careful", replica.life, reading.unclosed, suspects.text)
        body.servesFrom = now + CarefulHandling.grace
        after(CarefulHandling.grace, in: replica) { [unowned self] in if replica.body === body { pump(replica) } }
        return SimulatedCare(suspects)
    }

    func position(_ delivery: Delivery) -> Suspects.Position {
        Suspects.Position(runID: delivery.runID, ordinal: delivery.ordinal)
    }

    /// Before a handler is called.
    func mayBegin(
        _ delivery: Delivery, _ replica: Replica, _ body: Body, done: @escaping (SimulatedCareStep) -> Void
    ) {
        guard let care = body.care, care.isNeeded, delivery.hasPosition else { return done(.begin) }
        guard laneStep(replica, body) != .leave else { return done(.leave) }
        let time = replica.clock.read(now).monotonic
        switch care.suspects.take(position(delivery), now: time) {
        case .begin:
            care.waiters.append { [unowned self] in
                if laneStep(replica, body) == .begin { return done(.begin) }
                care.suspects.leave(position(delivery))
                done(.leave)
            }
            note(care, replica, body)
        case .later:
            if replica.deliveryMachine.suspend([delivery], to: time + CarefulHandling.patience).isEmpty {
                wakeRetries(replica, in: CarefulHandling.patience)
                done(.isSeenTo)
            } else {
                after(CarefulHandling.patience, in: replica) { done(.leave) }
            }
        case .wait:
            after(.milliseconds(10), in: replica) { [unowned self] in mayBegin(delivery, replica, body, done: done) }
        case .condemned(let deaths):
            bury(delivery, deaths, replica, body)
            done(.isSeenTo)
        }
    }

    /// Lanes that ask while a note is on its way share the next one.
    private func note(_ care: SimulatedCare, _ replica: Replica, _ body: Body) {
        guard !care.isNoting, !care.waiters.isEmpty else { return }
        care.isNoting = true
        let waiters = care.waiters
        care.waiters = []
        say(care.suspects, closes: false, replica, body) { [unowned self] in
            care.isNoting = false
            for waiter in waiters { waiter() }
            note(care, replica, body)
        }
    }

    private func say(
        _ suspects: Suspects, closes: Bool, _ replica: Replica, _ body: Body, done: @escaping () -> Void = {}
    ) {
        let (text, token) = (suspects.text, body.info.token.rawValue)
        askAll(replica) {
            $0.say(text, closes: closes, token: token)
        } done: { _ in
            done()
        }
    }

    /// Its handler has come back, however: the leader lives.
    func ended(_ delivery: Delivery, _ body: Body) {
        if defect != .endUnnoted { body.care?.suspects.ended(position(delivery)) }
    }

    private func bury(_ delivery: Delivery, _ deaths: Int, _ replica: Replica, _ body: Body) {
        let key = delivery.key.bytes
        trace.note("condemned", replica.life, UInt64(deaths), "\(delivery.key)")
        if !isPoisonous(key) { ledger.violate(.poison, "\(delivery.key) is condemned after \(deaths) deaths") }
        handled(delivery, body)
        finish(delivery, replica, body)
        ended(delivery, body)
    }

    // MARK: - The term's end

    /// Every 250 ms, once handlers may begin: has it dealt with all that its whole logs hold?
    func closeSoon(_ replica: Replica, _ body: Body) {
        guard judges(.poison) else { return }
        guard body.care != nil else { return closeSoon(nil, replica, body) }
        after(CarefulHandling.grace, in: replica) { [unowned self] in closeSoon(nil, replica, body) }
    }

    private func closeSoon(_ backlog: TermBacklog?, _ replica: Replica, _ body: Body) {
        after(.milliseconds(250), in: replica) { [unowned self] in
            guard replica.body === body, body.phase == .running else { return }
            let isWhole = replica.deliveryMachine.isWhole && replica.catchUp.isWhole(replica.logs, replica.known)
            let backlog =
                backlog ?? (isWhole ? TermBacklog(replica.logs.all.map { ($0.runID, $0.lastOrdinal) }) : nil)
            let progress = replica.deliveryMachine.progress()
            guard let backlog, backlog.isFinished(progress), leaseIsValid(replica, body),
                !(body.care?.suspects.hasOpen(progress) ?? false)
            else { return closeSoon(backlog, replica, body) }
            body.care?.isNeeded = false
            let left = body.care?.suspects.survived ?? Suspects(token: body.info.token.rawValue)
            trace.note("closed", replica.life)
            say(left, closes: true, replica, body)
        }
    }

    /// The term ends, and this leader did not die.
    func sayThatItLives(_ replica: Replica, _ body: Body) {
        guard judges(.poison) else { return }
        let isHeld = leaseIsValid(replica, body)
        guard isHeld || body.care != nil else { return }
        let left = body.care?.suspects.survived ?? Suspects(token: body.info.token.rawValue)
        say(left, closes: isHeld, replica, body)
    }

    // MARK: - Keys that kill

    private static let poison = Array("k:{poison-".utf8)

    func isPoisonous(_ key: [UInt8]) -> Bool { key.starts(with: Self.poison) }

    func planPoison() {
        for number in 0..<conditions.poisonousKeys {
            let key = Self.poison + Array("\(number)}".utf8)
            let home = shard(of: key)
            let due = random.milliseconds(1_000...7_500)
            timersPlanned += 1
            let id = timersPlanned
            shards[home].timers[id] = (Timer(key: key, hasCompanion: false), due)
            after(due) { [unowned self] in expire(id, home) }
        }
    }

    /// Whether it is to die over this one, a moment after it has begun.
    func diesOver(_ handler: RunningHandler, _ delivery: Delivery, _ lane: SimulatedLane, _ replica: Replica) -> Bool {
        let key = delivery.key.bytes
        guard isPoisonous(key) else { return false }
        after(random.microseconds(50...30_000), in: replica) { [unowned self] in
            guard lane.running === handler else { return }
            ledger.deaths[key, default: 0] += 1
            let deaths = ledger.deaths[key] ?? 0
            if deaths > Self.mostDeaths { ledger.violate(.poison, "\(deaths) leaders died over \(delivery.key)") }
            kill(replica.place, away: random.milliseconds(100...1_500))
        }
        return true
    }

    /// What is not over yet: a key that kills and is no dead letter, or a term that is not closed.
    func poisonLeft() -> String? {
        guard judges(.poison) else { return nil }
        for process in ledger.processes.values {
            for one in process.announced
            where isPoisonous(one.key) && !one.hearers.isEmpty && one.handled == 0 && !one.isLost && !one.isRepeat {
                return "\(String(decoding: one.key, as: UTF8.self)) is no dead letter"
            }
        }
        let open = registers.count { $0.unclosed > 0 }
        return open > registers.count / 2 ? "the last term is not closed" : nil
    }
}
