import Synchronization
package import Timing

/// The right to act as the leader until a time. Any thread may ask at any moment: the answer is two
/// clocks and a memory, never the network and never a lock.
public final class Lease: Sendable {
    // Nanoseconds until which handlers may be called. The wall clock's limit is written first and read
    // last: beside a new monotonic limit a reader sees that window's or a later one. The reverse, an old
    // monotonic limit beside a new one of the wall clock, allows nothing that the new window does not: by
    // the monotonic clock no window ends before its predecessor.
    private let monotonicLimit: Atomic<Int64>
    private let wallLimit: Atomic<Int64>
    private let ended = Atomic(false)

    package convenience init(_ window: LeaseWindow) { self.init(until: window.leadUntil) }

    /// - Parameter end: until when handlers may be called.
    package init(until end: ClockReading) {
        let limit = ClockGlance(end)
        monotonicLimit = Atomic(limit.monotonic)
        wallLimit = Atomic(limit.wall)
    }

    /// Whether a handler may be called now.
    public var isValid: Bool { isValid(at: SystemClock.glance()) }

    /// The same, for a caller that has just read the clocks.
    package func isValid(at now: ClockGlance) -> Bool {
        !isEnded && now.monotonic < monotonicLimit.load(ordering: .acquiring)
            && now.wall < wallLimit.load(ordering: .acquiring)
    }

    /// Until when handlers may be called, unless the lease is renewed or ends earlier.
    public var leadUntil: ContinuousClock.Instant {
        SystemClock.instant(.nanoseconds(monotonicLimit.load(ordering: .acquiring)))
    }

    /// The same by both clocks, for a process of its own that must end by then.
    package var limit: ClockReading {
        ClockReading(
            monotonic: .nanoseconds(monotonicLimit.load(ordering: .acquiring)),
            wall: .nanoseconds(wallLimit.load(ordering: .acquiring)))
    }

    /// What is left until then: zero if the lease is not valid.
    public var remaining: Duration {
        let now = SystemClock.glance()
        guard isValid(at: now) else { return .zero }
        let left = min(
            monotonicLimit.load(ordering: .acquiring) - now.monotonic, wallLimit.load(ordering: .acquiring) - now.wall)
        return .nanoseconds(max(0, left))
    }

    /// Throws ``LeaseLapsed`` if no handler may be called now.
    public func check() throws(LeaseLapsed) {
        guard isValid else { throw LeaseLapsed() }
    }

    /// The term is over, for whatever reason.
    package var isEnded: Bool { ended.load(ordering: .acquiring) }

    package func extend(_ window: LeaseWindow) {
        let limit = ClockGlance(window.leadUntil)
        wallLimit.store(limit.wall, ordering: .releasing)
        monotonicLimit.store(limit.monotonic, ordering: .releasing)
    }

    package func end() { ended.store(true, ordering: .releasing) }
}

/// The lease has run out or was given up.
public struct LeaseLapsed: Error, Sendable, CustomStringConvertible {
    package init() {}

    /// One line for logs.
    public var description: String { "the lease has lapsed" }
}
