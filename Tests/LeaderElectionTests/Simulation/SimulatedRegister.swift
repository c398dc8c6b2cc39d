import LeaderElection

/// A register as a value, with a clock of its own: what a lock key and its scripts do, step by step.
struct SimulatedRegister: Sendable {
    struct Lock: Sendable, Hashable {
        var value: String
        var rules: String
        /// By this register's clock.
        var until: Duration
    }

    var lock: Lock?
    var counter: UInt64 = 0
    var term: UInt64 = 0
    /// By this register's clock: long ago, unless it was restarted.
    var startedAt: Duration = .seconds(-3600)
    var clockRate = 1.0
    var clockOffset: Duration = .zero
    /// No connection is accepted.
    var isDown = false
    /// Whatever is sent disappears.
    var isBlackHole = false
    /// The guard against a server that forgot its votes.
    var refusesWhenYoung = true

    func clock(_ time: Duration) -> Duration { time * clockRate + clockOffset }

    /// The lock that still holds at `time`.
    func held(at time: Duration) -> Lock? {
        guard let lock, clock(time) < lock.until else { return nil }
        return lock
    }

    /// Returns the answer, and whether followers are woken.
    mutating func apply(_ operation: LeaseMachine.Operation, at time: Duration) -> (
        LeaseMachine.Outcome, wakes: Bool
    ) {
        lock = held(at: time)
        let now = clock(time)
        switch operation {
        case .acquire(let claim):
            if let lock, lock.value != claim.value {
                guard lock.rules == claim.rules else { return (.acquired(.mismatch(rules: lock.rules)), false) }
                return (.acquired(.held(by: lock.value, ttl: lock.until - now)), false)
            }
            if lock == nil {
                let age = now - startedAt
                if refusesWhenYoung, age < claim.ttl {
                    return (.acquired(.refused(reason: "too young", retryAfter: claim.ttl - age)), false)
                }
                counter = max(counter + 1, UInt64(max(0, (now + .seconds(10_000_000)).components.seconds * 1000)))
            }
            lock = Lock(value: claim.value, rules: claim.rules, until: now + claim.ttl)
            return (.acquired(.granted(Vote(counter: counter, term: term))), false)
        case .confirm(let claim, let token, let term):
            guard lock?.value == claim.value else { return (.confirmed(false), false) }
            publish(token, term)
            return (.confirmed(true), false)
        case .renew(let claim, let token, let term, let heal):
            if lock == nil, heal {
                lock = Lock(value: claim.value, rules: claim.rules, until: now + claim.ttl)
            }
            guard lock?.value == claim.value else { return (.renewed(.lost(holder: lock?.value)), false) }
            lock?.until = now + claim.ttl
            publish(token, term)
            return (.renewed(.renewed), false)
        case .release(let claim, let wake):
            guard lock?.value == claim.value else { return (.released, false) }
            lock = nil
            return (.released, wake)
        }
    }

    private mutating func publish(_ token: FencingToken, _ term: UInt64) {
        counter = max(counter, token.rawValue)
        self.term = max(self.term, term)
    }

    /// Restarts without any data.
    mutating func restartEmpty(at time: Duration) {
        lock = nil
        counter = 0
        term = 0
        startedAt = clock(time)
    }
}
