import LeaderElection

/// The times of a claim's session.
///
/// Let `t0` be the moment before a request was sent, whose answer showed that the session held both locks at some moment
/// s ≥ t0. The elector believes in its lease until t0 + `Claim.ttl` less the drift. The locks can leave the
/// session only by its end, so after s, and then Consul keeps everybody from them for the lock delay: no rival before
/// s + delay. So a **lock delay no shorter than `Claim.ttl`** is what keeps rivals out, whatever ends the session
/// and why: its TTL, an operator, a health check. The session's TTL decides only how late a crash is noticed: Consul
/// grants no less than 10 s, and lets up to twice of it pass.
struct SessionTimes: Sendable, Equatable {
    let ttl: Duration
    let lockDelay: Duration

    /// The longest delay that Consul keeps; it would shorten a longer one without a word.
    static let longestDelay = Duration.seconds(60)

    init(_ claim: Claim, lockDelay wanted: Duration?, shortest: Duration) throws(ImpossibleTimes) {
        lockDelay = wanted ?? claim.ttl
        ttl = max(claim.ttl, shortest)
        guard lockDelay >= .zero, lockDelay <= Self.longestDelay else {
            throw ImpossibleTimes(
                reason: wanted == nil
                    ? "a lease of \(claim.ttl) needs a lock delay as long, and Consul's is at most 60 s: shorten the lease"
                    : "Consul's lock delay is from 0 to 60 s, not \(lockDelay)")
        }
        guard ttl <= .seconds(86_400) else {
            throw ImpossibleTimes(reason: "Consul's sessions last at most 24 h: shorten the lease of \(claim.ttl)")
        }
    }
}

/// Consul cannot keep such times; the reason says what to change.
struct ImpossibleTimes: Error {
    let reason: String
}
