import Synchronization

/// The right to act as the leader until a time. Any thread may ask at any moment: the answer is two clocks
/// and a memory, never the network.
public final class Lease: Sendable {
    private struct State {
        var window: LeaseWindow
        var ended = false
    }

    private let state: Mutex<State>
    private let read: @Sendable () -> ClockReading

    package init(_ window: LeaseWindow, clock: @escaping @Sendable () -> ClockReading = SystemClock.read) {
        state = Mutex(State(window: window))
        read = clock
    }

    /// Whether a handler may be called now.
    public var isValid: Bool { isValid(at: read()) }

    /// The same, for whoever has just read the clocks.
    package func isValid(at now: ClockReading) -> Bool {
        state.withLock { !$0.ended && $0.window.isOpen(at: now) }
    }

    /// Until when handlers may be called, unless the lease is renewed or ends earlier.
    public var leadUntil: ContinuousClock.Instant {
        SystemClock.instant(state.withLock { $0.window.leadUntil.monotonic })
    }

    /// What is left until then: zero if the lease is not valid.
    public var remaining: Duration {
        let now = read()
        return state.withLock { state in
            guard !state.ended, state.window.isOpen(at: now) else { return .zero }
            return min(state.window.leadUntil.monotonic - now.monotonic, state.window.leadUntil.wall - now.wall)
        }
    }

    /// Throws ``LeaseLapsed`` if no handler may be called now.
    public func check() throws(LeaseLapsed) {
        guard isValid else { throw LeaseLapsed() }
    }

    /// The term is over, for whatever reason.
    package var isEnded: Bool { state.withLock { $0.ended } }

    package func extend(_ window: LeaseWindow) {
        state.withLock { $0.window = window }
    }

    package func end() {
        state.withLock { $0.ended = true }
    }
}

/// The lease has run out or was given up.
public struct LeaseLapsed: Error, Sendable, CustomStringConvertible {
    /// One line for logs.
    public var description: String { "the lease has lapsed" }
}
