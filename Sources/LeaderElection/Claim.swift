/// What a candidate asks every register to vote for: one claim is one attempt to lead, and, once it won, one term.
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

    /// A claim as the elector makes it; a store only reads claims.
    public init(name: String, id: String, value: String, ttl: Duration, rules: String) {
        self.name = name
        self.id = id
        self.value = value
        self.ttl = ttl
        self.rules = rules
    }

    /// The replica's name inside a claim's value.
    public static func replica(of value: String) -> String {
        guard let colon = value.lastIndex(of: ":") else { return value }
        return String(value[..<colon])
    }
}
