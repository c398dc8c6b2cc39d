/// Exponential backoff with full jitter: the n-th wait is random between half of and the whole
/// `min(first·2ⁿ, cap)`.
///
/// Source: "Exponential Backoff and Jitter", AWS Architecture Blog; the floor of one half keeps a retry
/// from being instant.
package struct Backoff: Sendable {
    package var first: Duration
    package var cap: Duration
    package private(set) var attempts = 0

    package init(first: Duration = .milliseconds(50), cap: Duration = .seconds(1)) {
        self.first = first
        self.cap = cap
    }

    /// The next wait; `random` is in 0..<1.
    package mutating func next(random: Double = .random(in: 0..<1)) -> Duration {
        let whole = min(first * (1 << min(attempts, 20)), cap)
        attempts += 1
        return whole * (0.5 + random / 2)
    }

    package mutating func reset() { attempts = 0 }
}
