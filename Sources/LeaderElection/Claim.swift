/// What a candidate asks every register to vote for: one claim is one attempt to lead, and, once it
/// won, one term.
public struct Claim: Sendable, Hashable {
    /// The election: replicas with the same name form one group.
    public let name: String
    /// The replica that claims.
    public let id: String
    /// `<id>:<32 hex digits>`, drawn anew for every attempt. A register holds exactly this string, and only
    /// its owner may extend or delete it.
    public let value: String
    /// How long a vote lasts from the moment the register grants it.
    public let ttl: Duration
    /// What all replicas of a group must agree on (lease length, number of registers, naming of the keys).
    /// A register that holds a live claim under other rules answers ``AcquireReply/mismatch(rules:)``.
    public let rules: String
    /// What the lease is for: `elect`, or `run` with the deployment whose expirations are handled. Kept
    /// beside the rules and compared like them; empty when it is not known, which agrees with every
    /// purpose.
    public let purpose: String

    /// A claim as the elector makes it; a store only reads claims.
    public init(name: String, id: String, value: String, ttl: Duration, rules: String, purpose: String = "") {
        self.name = name
        self.id = id
        self.value = value
        self.ttl = ttl
        self.rules = rules
        self.purpose = purpose
    }

    /// The same claim for a purpose that is known better.
    package func with(purpose: String) -> Claim {
        Claim(name: name, id: id, value: value, ttl: ttl, rules: rules, purpose: purpose)
    }

    /// What the holder of a register goes by, if that is not what this claim goes by; nil if the two agree.
    /// What a register does not know (an older version wrote it) agrees.
    package func mismatch(rules theirs: String?, purpose other: String?) -> String? {
        let purpose = LeasePurpose(purpose)
        let otherPurpose = LeasePurpose(other ?? "")
        guard theirs.map({ $0 != rules }) == true || !purpose.agrees(with: otherPurpose) else { return nil }
        return otherPurpose.appended(to: theirs ?? "")
    }

    /// The replica's name inside a claim's value.
    public static func replica(of value: String) -> String {
        guard let colon = value.lastIndex(of: ":") else { return value }
        return String(value[..<colon])
    }
}
