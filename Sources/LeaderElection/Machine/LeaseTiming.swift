/// Every duration of the election, all derived from the lease's length.
public struct LeaseTiming: Sendable, Hashable {
    /// How long a vote lasts.
    public let ttl: Duration
    /// By how much two clocks may differ over one TTL: the drift's fraction of it, and 2 ms for the
    /// registers' rounding.
    public let drift: Duration
    /// The end of the lease, which is kept for the body to return in once its task was cancelled.
    public let stopBudget: Duration
    /// A renewal is sent this often: each third of the TTL.
    public let renewInterval: Duration
    /// An answer is not counted on after this long: a sixteenth of the TTL, 50 ms to 500 ms.
    public let operationTimeout: Duration

    /// The times of a lease of this length.
    ///
    /// - Parameters:
    ///   - ttl: the lease's length, at least 370 ms with the other values at their defaults.
    ///   - clockDrift: the rate by which two clocks may differ, as a fraction: 0.01 for 1 %. Not negative.
    ///   - stopBudget: nil for a tenth of the TTL, at least 50 ms and at most 1 s. Not negative.
    /// - Throws: ``ElectionError`` of the code ``ElectionError/Code/configuration``: a renewal and two
    ///   retries do not fit into the lease, or a value is negative.
    public init(ttl: Duration, clockDrift: Double = 0.01, stopBudget: Duration? = nil) throws(ElectionError) {
        try self.init(
            ttl: ttl, clockDrift: clockDrift,
            stopBudget: { (ttl: Duration) -> Duration in
                stopBudget ?? min(max(ttl / 10, .milliseconds(50)), .seconds(1))
            })
    }

    /// The same with a stop budget that follows from the lease's length, also in what a lease that is too
    /// short is told.
    package init(
        ttl: Duration, clockDrift: Double = 0.01, stopBudget: (_ ttl: Duration) -> Duration
    ) throws(ElectionError) {
        self.ttl = ttl
        self.drift = ttl * clockDrift + .milliseconds(2)
        self.stopBudget = stopBudget(ttl)
        renewInterval = ttl / 3
        operationTimeout = min(max(ttl / 16, .milliseconds(50)), .milliseconds(500))
        guard clockDrift >= 0, self.stopBudget >= .zero else {
            throw .configuration(nil, "clock drift and stop budget must not be negative")
        }
        let slowestSuccess = renewInterval + operationTimeout * 3 + renewRetry.upperBound * 2
        guard slowestSuccess <= ttl - drift - self.stopBudget else {
            let least = Self.least(clockDrift, stopBudget).map { ": the least is \($0) ms" } ?? ""
            throw .configuration("leaseTTL", "a lease of \(ttl) is too short for a renewal and two retries\(least)")
        }
    }

    /// The shortest lease with these values, in milliseconds, to the next 10; nil where none is long
    /// enough.
    private static func least(_ clockDrift: Double, _ stopBudget: (Duration) -> Duration) -> Int64? {
        stride(from: 10, through: 60_000, by: 10).first { milliseconds in
            let ttl = Duration.milliseconds(milliseconds)
            let timeout = min(max(ttl / 16, .milliseconds(50)), .milliseconds(500))
            let retry = min(max(ttl / 64, .milliseconds(10)), .milliseconds(125)) * 2
            return ttl / 3 + timeout * 3 + retry * 2 <= ttl - (ttl * clockDrift + .milliseconds(2)) - stopBudget(ttl)
        }
    }

    /// Between a failed renewal and the next try.
    package var renewRetry: ClosedRange<Duration> {
        let shortest = clamped(ttl / 64, .milliseconds(10), .milliseconds(125))
        return shortest...(shortest * 2)
    }

    /// After the known TTL ran out, or a wake-up: spreads the candidates without costing the take-over
    /// much.
    package var followJitter: ClosedRange<Duration> { .milliseconds(5) ... .milliseconds(50) }

    /// After a vote was split or lost; grows with every one in a row, up to `retryLimit`.
    package var contentionBackoff: ClosedRange<Duration> { .milliseconds(10) ... .milliseconds(60) }

    /// No candidate that could lead waits longer between two tries.
    package var retryLimit: Duration { clamped(ttl / 8, .milliseconds(60), .seconds(1)) }

    /// The pause of a leader that gave up its term by itself, so that others may win.
    package var resignPause: Duration { clamped(ttl / 4, .milliseconds(100), .seconds(2)) }

    /// The longest pause of a replica whose body fails again and again.
    package var failureLimit: Duration { max(ttl, .seconds(30)) }

    /// How often a replica whose rules differ looks again.
    package var mismatchRetry: Duration { max(ttl, .seconds(5)) }
}

private func clamped(_ duration: Duration, _ low: Duration, _ high: Duration) -> Duration {
    min(max(duration, low), high)
}
