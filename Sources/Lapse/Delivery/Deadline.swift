import LeaderElection
import RedisClient
import Synchronization
import Timing

/// When the handler that runs in a lane must be finished. One timer serves many handlers.
final class Deadline: Sendable {
    private let bell: Doorbell
    private let timeout: Duration
    private let timeoutNanoseconds: Int64
    /// Nanoseconds of the monotonic clock, or one of the two below.
    private let due = Atomic(Deadline.none)
    private let passedOnce = Atomic(false)
    private static let none = Int64.max
    private static let passed = Int64.min

    init(bell: Doorbell, timeout: Duration) {
        self.bell = bell
        self.timeout = timeout
        timeoutNanoseconds = timeout.inNanoseconds
    }

    /// Calls handlers round by round: a round in which a handler overran is cancelled, and the next one
    /// begins.
    ///
    /// - Parameter round: returns true when the term is over, false when a handler overran.
    static func rounds(
        _ bell: @Sendable () -> Doorbell, timeout: Duration, _ round: @escaping @Sendable (Deadline) async -> Bool
    ) async {
        while !Task.isCancelled {
            let deadline = Deadline(bell: bell(), timeout: timeout)
            let isOver = await withTaskGroup(of: Bool?.self) { group in
                // A child beside the timer: cancelling the group ends the handler that overran. The group awaits both.
                group.addTask { await round(deadline) }
                group.addTask {
                    await deadline.passed()
                    return nil
                }
                var isOver = false
                for await ended in group {
                    isOver = ended ?? isOver
                    group.cancelAll()
                }
                return isOver
            }
            if isOver { return }
        }
    }

    /// A handler begins.
    func start(_ now: Int64) {
        let (end, isTooLong) = now.addingReportingOverflow(timeoutNanoseconds)
        due.store(isTooLong ? Self.none : end, ordering: .relaxed)
    }

    /// The handler has ended well. If it was too late, that changes nothing: the round ends all the same.
    func end() { _ = stop() }

    /// The handler has failed; whether it was too late.
    func stop() -> Bool {
        let hasOverrun = due.exchange(Self.none, ordering: .acquiringAndReleasing) == Self.passed
        // Before the lane looks: the timer may not have come to say so yet, and then the round ends while a
        // later handler runs in it.
        if hasOverrun { passedOnce.store(true, ordering: .releasing) }
        return hasOverrun
    }

    var hasPassed: Bool { passedOnce.load(ordering: .acquiring) }

    /// Returns when a handler has overrun, or on cancellation.
    func passed() async {
        while !Task.isCancelled {
            let left = left(SystemClock.glance().monotonic)
            if left <= .zero { return }
            // It has no ringer: handlers that end in time need no timer of their own.
            _ = await bell.wait(upTo: left)
        }
    }

    /// Marks a handler that has overrun, and no other: one that has just ended has taken its time back.
    private func left(_ now: Int64) -> Duration {
        let due = due.load(ordering: .acquiring)
        guard due != Self.none else { return timeout }
        guard due <= now else { return .nanoseconds(due - now) }
        let (isMarked, _) = self.due.compareExchange(
            expected: due, desired: Self.passed, ordering: .acquiringAndReleasing)
        guard isMarked else { return timeout }
        passedOnce.store(true, ordering: .releasing)
        return .zero
    }
}
