import Lapse
package import LeaderElection
import LeaderElectionRedis

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
    /// All that is sent disappears.
    package var isBlackHole = false
    /// The guard against a server that forgot its votes.
    package var refusesWhenYoung = true
    /// Memory is full, or the disk is: nothing new is written; keys that exist may be extended and deleted.
    var refusesWrites = false
    /// Whether a replica may write down here that it lives. (The user's rights.)
    var mayNoteMembers = true
    /// The lock before its last change, and before it was last extended: what a replica may still have.
    private var lockBefore: Lock?
    private var untilBefore: Duration?
    /// A planted defect: any replica that asks gets the lock renewed.
    var renewsForAnyone = false
    /// The rules that each replica has signed.
    private var signatures: [String: (terms: String, until: Duration)] = [:]
    /// What leaders wrote about their cursors, as text by field, and the largest token among the writers.
    private var progress: [String: String] = [:]
    private var progressToken: UInt64 = 0
    /// What the leader of the largest term said of its logs.
    private var wholeness: Wholeness?
    /// How many terms have begun since one was closed, and over what the last careful leader may have died.
    private(set) var unclosed: UInt64 = 0
    private var suspects: String?
    /// A planted defect.
    var leavesTermsUncounted = false
    /// The last write with that token.
    private var progressWrite: UInt64 = 0
    /// When each replica was last seen, by this register's clock.
    private var members: [String: Duration] = [:]
    private var leaving: Set<String> = []
    /// The claim of a term that has begun, and has not given its lock back since.
    private var led: String?

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
        let before = lock
        defer { remember(before) }
        switch operation {
        case .acquire(let claim) where refusesWrites && (lock == nil || lock?.value == claim.value),
            .confirm(let claim, _, _) where refusesWrites && lock?.value == claim.value:
            return (.failed(.unexpected("OOM command not allowed when used memory > 'maxmemory'")), false)
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
            if led == claim.value { led = nil }
            guard lock?.value == claim.value else { return (.released, false) }
            lock = nil
            return (.released, wake)
        }
    }

    /// Its time is over.
    mutating func lapse() { lock = nil }

    /// Whether the lock of a term before ran out; nil: an error.
    mutating func beginLeading(_ claim: Claim, at time: Duration) -> Bool? {
        guard !refusesWrites else { return nil }
        let before = led
        let holder = held(at: time)
        if holder?.value == claim.value { led = claim.value } else if holder != nil { return false }
        return before != nil && before != claim.value
    }

    private mutating func publish(_ token: FencingToken, _ term: UInt64) {
        counter = max(counter, token.rawValue)
        self.term = max(self.term, term)
    }

    private mutating func remember(_ before: Lock?) {
        guard before != lock else { return }
        lockBefore = before
        untilBefore = before?.value == lock?.value ? before?.until : nil
    }

    /// Its replica takes its place: without the last change of the lock, or with the vote and without its
    /// last extension.
    mutating func failOver(keepsVote: Bool) {
        if keepsVote { if let untilBefore { lock?.until = untilBefore } } else { lock = lockBefore }
        (lockBefore, untilBefore) = (lock, nil)
    }

    // MARK: Rules

    /// Takes no signature beside a living one with other terms.
    mutating func sign(_ member: String, terms: String, for life: Duration, at time: Duration) -> GroupRules.Answer {
        let now = clock(time)
        signatures = signatures.filter { $0.value.until > now }
        if let other = signatures.first(where: { $0.key != member && $0.value.terms != terms }) {
            return .taken(by: MemberID(other.key), terms: other.value.terms)
        }
        signatures[member] = (terms, now + life)
        return .signed([])
    }

    mutating func withdraw(_ member: String) { signatures[member] = nil }

    /// A replica says that it leaves.
    mutating func noteLeaving(_ id: String) { if !refusesWrites { leaving.insert(id) } }

    /// It has left.
    mutating func forget(_ id: String) {
        leaving.remove(id)
        members[id] = nil
    }

    // MARK: Progress

    /// Takes the word of the largest token. Nil: an error.
    mutating func note(_ word: Wholeness) -> Bool? {
        guard !refusesWrites else { return nil }
        guard word.token >= max(progressToken, wholeness?.token ?? 0) else { return false }
        wholeness = word
        return true
    }

    /// Damaged cursors: none of them can be true, whatever else they say.
    static let damages = [
        "9000000000000000 1 18446744073709551615 0 n -", "9000000000000000 1 5 9223372036854775807 n -",
        "9000000000000000 1 5 -9223372036854775808 n -", "9000000000000000 1 3 0 n 0",
        "9000000000000000 1 7 0 n 0-3", "9000000000000000 1 9 0 n 18446744073709551615", "", "x",
        "9000000000000000 1 9 0 n 5-1", "18446744073709551615 18446744073709551615 4 0 n -",
    ]

    mutating func damage(_ text: Int) {
        if let field = progress.keys.filter({ $0.hasPrefix("log:") }).min() { progress[field] = Self.damages[text] }
    }

    /// Takes the cursors, unless a larger token has written before, or this token something later. Nil: an
    /// error.
    mutating func write(_ fields: [(field: String, text: String)], token: UInt64, number: UInt64) -> Bool? {
        guard progressToken <= token else { return false }
        if progressToken == token, progressWrite > number { return true }
        guard !refusesWrites else { return nil }
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

    /// What there is, and `id` is seen now, if that may be written. A term that begins shuts out those
    /// before it.
    mutating func read(as id: String, fencing token: UInt64?, at time: Duration) -> RegisterWord {
        var word = RegisterWord()
        if let token, progressToken < token {
            if refusesWrites {
                word.refusal = Self.refusal
            } else {
                progressToken = token
                progressWrite = 0
                if !leavesTermsUncounted { unclosed += 1 }
            }
        }
        word.unclosed = unclosed
        word.suspects = suspects.flatMap { Suspects(text: $0) }
        let now = clock(time)
        if mayNoteMembers, !refusesWrites { members[id] = now } else { word.refusal = Self.refusal }
        for (field, text) in progress {
            if field.hasPrefix("base:") {
                word.bases[String(field.dropFirst(5))] = UInt64(text)
            } else if let cursor = Progress(field: field, text: text) {
                word.entries[cursor.runID] = cursor
            }
        }
        word.members = Set(members.filter { $0.value >= now - .seconds(5) }.keys)
        word.leaving = leaving
        word.fence = progressToken
        word.wholeness = wholeness
        return word
    }

    private static let refusal = "OOM command not allowed when used memory > 'maxmemory'"

    /// What a leader has begun and over what others died, and whether it has dealt with all that it found.
    mutating func say(_ suspects: String, closes: Bool, token: UInt64) {
        guard progressToken <= token, !refusesWrites else { return }
        self.suspects = suspects
        if closes { unclosed = 0 }
    }

    /// A base never falls. Nil: an error.
    mutating func tell(base: UInt64, of runID: String) -> Bool? {
        guard !refusesWrites else { return nil }
        let field = "base:\(runID)"
        progress[field] = "\(max(base, progress[field].flatMap { UInt64($0) } ?? 0))"
        return true
    }

    /// Restarts without any data.
    package mutating func restartEmpty(at time: Duration) {
        lock = nil
        counter = 0
        term = 0
        progress = [:]
        unclosed = 0
        suspects = nil
        wholeness = nil
        signatures = [:]
        progressToken = 0
        progressWrite = 0
        members = [:]
        leaving = []
        led = nil
        startedAt = clock(time)
    }
}
