import Lapse
package import LeaderElection

/// A register as a value, with a clock of its own: what a lock key and its scripts do, step by step.
package struct SimulatedRegister: Sendable {
    package init() {}

    package struct Lock: Sendable, Hashable {
        package var value: String
        package var rules: String
        package var purpose = ""
        /// By this register's clock.
        package var until: Duration

        package init(value: String, rules: String, purpose: String = "", until: Duration) {
            self.value = value
            self.rules = rules
            self.purpose = purpose
            self.until = until
        }
    }

    package var lock: Lock?
    package var counter: UInt64 = 0
    package var term: UInt64 = 0
    /// By this register's clock: long ago, unless it was restarted.
    package var startedAt: Duration = .seconds(-3600)
    package var clockRate = 1.0
    package var clockOffset: Duration = .zero
    /// No connection is accepted.
    package var isDown = false
    /// Whatever is sent disappears.
    package var isBlackHole = false
    /// The guard against a server that forgot its votes.
    package var refusesWhenYoung = true
    /// A planted defect: whoever asks gets the lock renewed.
    var renewsForAnyone = false
    /// What leaders wrote about their cursors, as text by field, and the largest token among the writers.
    private var progress: [String: String] = [:]
    private var progressToken: UInt64 = 0
    /// The last write with that token.
    private var progressWrite: UInt64 = 0
    /// When each replica was last seen, by this register's clock.
    private var members: [String: Duration] = [:]

    package func clock(_ time: Duration) -> Duration { time * clockRate + clockOffset }

    /// The lock that still holds at `time`.
    package func held(at time: Duration) -> Lock? {
        guard let lock, clock(time) < lock.until else { return nil }
        return lock
    }

    /// Returns the answer, and whether followers are woken.
    package mutating func apply(_ operation: LeaseMachine.Operation, at time: Duration) -> (
        LeaseMachine.Outcome, wakes: Bool
    ) {
        lock = held(at: time)
        let now = clock(time)
        switch operation {
        case .acquire(let claim):
            if let lock, lock.value != claim.value {
                if let theirs = claim.mismatch(rules: lock.rules, purpose: lock.purpose) {
                    return (.acquired(.mismatch(rules: theirs)), false)
                }
                return (.acquired(.held(by: lock.value, ttl: lock.until - now)), false)
            }
            if lock == nil {
                let age = now - startedAt
                if refusesWhenYoung, age < claim.ttl {
                    return (.acquired(.refused(reason: "too young", retryAfter: claim.ttl - age)), false)
                }
                counter = max(counter + 1, UInt64(max(0, (now + .seconds(10_000_000)) / .milliseconds(1))))
            }
            lock = Lock(value: claim.value, rules: claim.rules, purpose: claim.purpose, until: now + claim.ttl)
            return (.acquired(.granted(Vote(counter: counter, term: term))), false)
        case .confirm(let claim, let token, let term):
            guard lock?.value == claim.value else {
                publish(token, 0)
                return (.confirmed(false), false)
            }
            lock?.until = now + claim.ttl
            publish(token, term)
            return (.confirmed(true), false)
        case .renew(let claim, let token, let term, let heal):
            if lock == nil, heal {
                lock = Lock(value: claim.value, rules: claim.rules, purpose: claim.purpose, until: now + claim.ttl)
            }
            guard lock?.value == claim.value || (renewsForAnyone && lock != nil) else {
                return (.renewed(.lost(holder: lock?.value)), false)
            }
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

    // MARK: Progress

    /// Takes the cursors, unless a larger token has written before, or this token something later.
    mutating func write(_ fields: [(field: String, text: String)], token: UInt64, number: UInt64) -> Bool {
        guard progressToken <= token else { return false }
        if progressToken == token, progressWrite > number { return true }
        progressToken = token
        progressWrite = number
        for (field, text) in fields { progress[field] = text }
        return true
    }

    mutating func forget(_ fields: [String], token: UInt64) {
        guard progressToken <= token else { return }
        for field in fields { progress[field] = nil }
    }

    /// The cursor of one log, as it was last written here.
    func cursor(_ runID: String) -> Cursor? {
        progress["log:\(runID)"].flatMap { Progress(field: "log:\(runID)", text: $0)?.cursor }
    }

    /// The cursors, and the replicas seen within the last seconds; `id` is seen now. A term that begins shuts out those before it.
    mutating func read(
        as id: String, fencing token: UInt64?, at time: Duration
    ) -> (cursors: [String: Progress], members: Set<String>) {
        if let token, progressToken < token {
            progressToken = token
            progressWrite = 0
        }
        let now = clock(time)
        members[id] = now
        var cursors: [String: Progress] = [:]
        for (field, text) in progress {
            if let cursor = Progress(field: field, text: text) { cursors[cursor.runID] = cursor }
        }
        return (cursors, Set(members.filter { $0.value >= now - .seconds(5) }.keys))
    }

    /// Restarts without any data.
    package mutating func restartEmpty(at time: Duration) {
        lock = nil
        counter = 0
        term = 0
        progress = [:]
        progressToken = 0
        progressWrite = 0
        members = [:]
        startedAt = clock(time)
    }
}
