/// Guesses when Consul's lock delay will be over. Consul does not tell: one has to try again. It only
/// paces the tries: whether the delay is over, Consul decides.
struct DelayEstimate: Sendable {
    private var index: UInt64?
    private var since: ContinuousClock.Instant?

    /// The lock was seen free, as it is since the change `index`.
    mutating func sawFree(index: UInt64, at now: ContinuousClock.Instant) {
        guard self.index != index else { return }
        self.index = index
        since = now
    }

    /// When to try again. Not later than every two seconds: the lock may be free for longer than it was
    /// seen.
    func retryAfter(_ delay: Duration, at now: ContinuousClock.Instant) -> Duration {
        let left = since.map { delay - ($0.duration(to: now)) } ?? delay
        return min(max(left, .milliseconds(100)), .seconds(2))
    }
}
