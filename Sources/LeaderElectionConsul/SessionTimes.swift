import LeaderElection

/// The times of a claim's session.
///
/// A session that held both locks at `s`, no earlier than the request, loses them only by its end, and
/// then the lock delay runs. So a delay no shorter than `Claim.ttl` keeps rivals out past the lease,
/// however the session ended. The session's TTL only decides how late a crash is noticed: Consul grants
/// 10 s at least, and lets up to twice of it pass.
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
