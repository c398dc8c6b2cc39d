/// What happened to the leadership, as seen by one replica.
public enum LeadershipChange: Sendable, Hashable {
    /// This replica leads.
    case leading(term: UInt64, token: FencingToken)
    /// A renewal failed; the lease still holds.
    case suspect
    /// A later renewal succeeded.
    case recovered
    /// The term is over: no handler is called any more.
    case ended(term: UInt64, TermEnd)
    /// The lease was given back after the body had returned.
    case released
    /// Another replica leads.
    case following(leader: String)
    /// This replica does not campaign, and why.
    case refused(String)
    /// No replica can lead now, as too few registers vote; the text says why.
    case waiting(String)
    /// The body of a term ran on past the end of its lease.
    case overran(term: UInt64)
    /// The elector has stopped.
    case stopped
}

/// One look at an elector, for metrics and status pages.
public struct ElectorState: Sendable {
    /// What a replica does in the election.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        /// Neither leading nor knowing the leader.
        case waiting
        /// Another replica leads.
        case following
        /// Asking the registers for their votes.
        case campaigning
        /// Leading.
        case leading
        /// Leading, though the last renewal failed.
        case suspect
        /// The term is ending; its body has not returned yet.
        case stopping
        /// Giving the lease back.
        case releasing
        /// The elector has stopped.
        case stopped
    }

    /// What this replica does.
    public var role: Role = .waiting
    /// The term under way, or the last one of this replica; 0: none yet.
    public var term: UInt64 = 0
    /// The fencing token of that term; 0: none yet.
    public var token = FencingToken(rawValue: 0)
    /// The replica that leads; nil while it is not known.
    public var leader: String?
    /// Why this replica does not campaign: others hold the lease under other rules. Nil while it may.
    public var refusal: String?
    /// What is left until this replica must have stopped calling handlers; zero when it does not lead.
    public var leaseRemaining: Duration = .zero
    /// What every register said last, by its label.
    public var registers: [(label: String, state: RegisterState)] = []
    /// How long the last good renewal took; nil before the first.
    public var lastRenewal: Duration?
    /// On how many independent servers the registers sit; nil while it is not known.
    public var failureDomains: Int?

    /// Handlers may be called now.
    public var isLeader: Bool { leaseRemaining > .zero }
}
