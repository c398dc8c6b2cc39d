/// When to open a connection again that is to stand for good, and what to say of it. A pure value.
///
/// A server or a proxy may take a connection and close it soon after, again and again: that is no
/// success. Waits grow until one has lived.
package struct Reconnection: Sendable {
    private var backoff: Backoff
    private let enough: Duration
    /// When the connection that stands was opened; nil without one, and once it has lived for long enough.
    private var opened: Duration?
    /// Lives in a row that were too short.
    private var shortLives = 0

    /// - Parameter enough: how long a connection must live.
    package init(_ backoff: Backoff = Backoff(), enough: Duration = .seconds(10)) {
        self.backoff = backoff
        self.enough = enough
    }

    /// A connection stands.
    package mutating func begins(now: Duration) { opened = now }

    /// It stands still.
    ///
    /// - Returns: whether it has just lived for long enough: what was complained of is over.
    package mutating func lives(now: Duration) -> Bool {
        guard let opened, now >= opened + enough else { return false }
        self.opened = nil
        shortLives = 0
        backoff.reset()
        return true
    }

    /// It is gone.
    ///
    /// - Returns: whether it is the second in a row that has not lived for long: from then on it is worth a
    ///   word.
    @discardableResult
    package mutating func ends(now: Duration) -> Bool {
        guard !lives(now: now), opened != nil else { return false }
        opened = nil
        shortLives += 1
        return shortLives == 2
    }

    /// Whether the last one has not lived for long.
    package var isShortLived: Bool { shortLives > 0 }

    /// How long to wait before the next attempt; `random` is in 0..<1.
    package mutating func next(random: Double = .random(in: 0..<1)) -> Duration { backoff.next(random: random) }
}
