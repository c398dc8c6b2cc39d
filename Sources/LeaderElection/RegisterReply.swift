/// A register's vote.
public struct Vote: Sendable, Hashable {
    /// The register's counter after this vote: larger than in every vote before.
    public let counter: UInt64
    /// The largest term that was ever confirmed here, 0 if none.
    public let term: UInt64

    /// Some registers count with doubles, which are exact up to here.
    private static let limit: UInt64 = 1 << 53

    /// A vote, as a register grants it. A term from 2^53 on cannot be true and counts as 2^53: the next one
    /// can be counted still.
    public init(counter: UInt64, term: UInt64) {
        self.counter = counter
        self.term = min(term, Self.limit)
    }
}

/// A register's answer to ``LeaseRegister/acquire(_:)``.
public enum AcquireReply: Sendable, Hashable {
    /// The register holds the claim now.
    case granted(Vote)
    /// `by` is the value of the claim that holds the register; `ttl` is what is left of it, nil where it is
    /// not known.
    case held(by: String, ttl: Duration?)
    /// No vote now, though the register is free: the server is younger than the lease, a lock delay runs.
    /// `retryAfter` is nil where it is not known how long.
    case refused(reason: String, retryAfter: Duration?)
    /// A group with other rules is at work here: `rules` are theirs.
    case mismatch(rules: String)
}

/// A register's answer to ``LeaseRegister/renew(_:token:term:heal:)``.
public enum RenewReply: Sendable, Hashable {
    /// The TTL runs anew.
    case renewed
    /// The value is gone; `holder` is the value that took its place, nil for none.
    case lost(holder: String?)
}

/// What a register knows of an election.
public struct Observation: Sendable, Hashable {
    /// The value of the claim that holds the register; nil while it is free.
    public let holder: String?
    /// What is left of the claim; nil while the register is free, and where the store does not tell.
    public let ttl: Duration?
    /// The largest confirmed term, 0 if none.
    public let term: UInt64
    /// The counter: no smaller than the largest confirmed token.
    public let token: FencingToken

    /// What a register says of itself.
    public init(holder: String?, ttl: Duration?, term: UInt64, token: FencingToken) {
        self.holder = holder
        self.ttl = ttl
        self.term = term
        self.token = token
    }

    /// The replica that holds the register; nil while it is free.
    public var leader: String? { holder.map(Claim.replica(of:)) }
}
