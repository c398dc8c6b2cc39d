/// When a failed handler is tried again: exponentially later, with jitter, a bounded number of times.
package struct RetryPolicy: Sendable {
    /// Retries after the first attempt.
    package var retries: Int
    package var first: Duration
    package var cap: Duration

    package init(retries: Int, first: Duration = .milliseconds(100), cap: Duration = .seconds(30)) {
        self.retries = retries
        self.first = first
        self.cap = cap
    }

    /// The wait before the attempt after `attempt` (from 1); nil when there is none. `random` is in 0..<1.
    package func wait(after attempt: Int, random: Double) -> Duration? {
        guard attempt <= retries else { return nil }
        return min(first * (1 << min(attempt - 1, 20)), cap) * (0.5 + random / 2)
    }
}
