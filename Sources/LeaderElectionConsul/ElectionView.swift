import FoundationEssentials
import LeaderElection

/// What the two keys of an election say at one moment, and what follows from it for a claim.
struct ElectionView: Sendable, Equatable {
    /// One key.
    struct Entry: Sendable, Equatable, Decodable {
        let key: String
        let value: Data?
        /// The session that holds the lock of the key.
        let session: String?
        let modifyIndex: UInt64

        enum CodingKeys: String, CodingKey {
            case key = "Key"
            case value = "Value"
            case session = "Session"
            case modifyIndex = "ModifyIndex"
        }
    }

    /// The value of the lock's key while it is held; empty after a release.
    struct Holding: Sendable, Equatable, Codable {
        let claim: String
        let rules: String
        /// Nil where an older version holds the lock.
        var purpose: String?
    }

    /// The value of the term's key.
    struct Record: Sendable, Equatable, Codable {
        var term: UInt64 = 0
        var token: UInt64 = 0
    }

    let keys: ConsulKeys
    let lock: Entry?
    let term: Entry?

    init(keys: ConsulKeys, entries: [Entry]) {
        self.keys = keys
        lock = entries.first { $0.key == keys.lock }
        term = entries.first { $0.key == keys.term }
    }

    /// Nothing where the value cannot be true: no term and no token reaches 2^53.
    var record: Record {
        let read = term?.value.flatMap { try? JSONDecoder().decode(Record.self, from: $0) } ?? Record()
        return max(read.term, read.token) < 1 << 53 ? read : Record()
    }

    /// What the holder of the lock wrote; nil if it is free.
    var holding: Holding? {
        guard lock?.session != nil else { return nil }
        return lock?.value.flatMap { try? JSONDecoder().decode(Holding.self, from: $0) }
    }

    /// The value of the claim that holds the lock, or the session of a holder that is none of ours.
    var holder: String? { holding?.claim ?? lock?.session }

    /// The previous holder said good-bye.
    var isReleased: Bool { lock.map { $0.session == nil && $0.value?.isEmpty != false } ?? false }

    /// Whether this session holds both locks.
    func isHeld(by session: String) -> Bool { lock?.session == session && term?.session == session }

    enum Stand: Equatable {
        /// The claim holds the election already.
        case mine(session: String)
        case held(by: String)
        case mismatch(rules: String)
        /// The lock's key was deleted or unlocked by hand; the session of its holder lives and keeps the other
        /// one.
        case halfHeld
        case free
    }

    /// `session` is the claim's own, if it has one already.
    func stand(of claim: Claim, session own: String?) -> Stand {
        if let session = lock?.session {
            if holding?.claim == claim.value, isHeld(by: session) { return .mine(session: session) }
            if let theirs = claim.mismatch(rules: holding?.rules, purpose: holding?.purpose) {
                return .mismatch(rules: theirs)
            }
            return .held(by: holder ?? session)
        }
        return term?.session == nil || term?.session == own ? .free : .halfHeld
    }

    // MARK: Transactions

    /// Locks both keys, if nothing happened to them since this view. Consul checks the lock delay *before*
    /// the step that takes the lock; that the key is still as it was when seen free closes the gap between
    /// the two.
    func taking(_ claim: Claim, session: String) -> [KeyOperation] {
        let holding = Holding(claim: claim.value, rules: claim.rules, purpose: claim.purpose)
        let value = (try? JSONEncoder().encode(holding)) ?? Data()
        return [
            .unchanged(keys.lock, lock), .unchanged(keys.term, term),
            KeyOperation(verb: "lock", key: keys.lock, value: value, session: session),
            KeyOperation(verb: "lock", key: keys.term, value: term?.value ?? Data(), session: session),
        ]
    }

    /// Raises the term and the token, if the session still holds both locks.
    func raising(to record: Record, session: String) -> [KeyOperation] {
        let value = (try? JSONEncoder().encode(record)) ?? Data()
        return [
            KeyOperation(verb: "check-session", key: keys.lock, session: session),
            KeyOperation(verb: "check-session", key: keys.term, session: session),
            KeyOperation(verb: "set", key: keys.term, value: value),
        ]
    }

    /// Unlocks what the session holds, and empties the lock's value; nothing if it holds nothing.
    func releasing(session: String) -> [KeyOperation] {
        var operations: [KeyOperation] = []
        if lock?.session == session {
            operations.append(.unchanged(keys.lock, lock))
            operations.append(KeyOperation(verb: "unlock", key: keys.lock, value: Data(), session: session))
        }
        if term?.session == session {
            operations.append(.unchanged(keys.term, term))
            operations.append(
                KeyOperation(verb: "unlock", key: keys.term, value: term?.value ?? Data(), session: session))
        }
        return operations
    }
}

/// One step of a transaction of Consul's.
struct KeyOperation: Sendable, Encodable, Equatable {
    let verb: String
    let key: String
    var value: Data?
    var session: String?
    var index: UInt64?

    /// The key is still as it was seen, or still absent.
    static func unchanged(_ key: String, _ entry: ElectionView.Entry?) -> KeyOperation {
        guard let entry else { return KeyOperation(verb: "check-not-exists", key: key) }
        return KeyOperation(verb: "check-index", key: key, index: entry.modifyIndex)
    }

    enum CodingKeys: String, CodingKey {
        case verb = "Verb"
        case key = "Key"
        case value = "Value"
        case session = "Session"
        case index = "Index"
    }
}
