import DequeModule
import Synchronization

/// Attempts that are counted and wait for a lane: no more than there are lanes.
final class AttemptQueue: Sendable {
    struct Job: Sendable {
        var entry: WorkEntry
        var content: WorkContent
        var attempt: Int
    }

    private struct State {
        var jobs: Deque<Job> = []
        var waiters: [CheckedContinuation<Bool, Never>] = []
        var isClosed = false
        /// A lane was woken and has not come yet.
        var isWaking = false

        /// The lane that waited last: the others sleep on. It wakes the next one itself if it finds more than
        /// it takes, and until it comes none else is woken, so that few are for what one can do.
        mutating func toWake() -> CheckedContinuation<Bool, Never>? {
            guard !jobs.isEmpty, !isWaking, let waiter = waiters.popLast() else { return nil }
            isWaking = true
            return waiter
        }
    }

    private let state = Mutex(State())

    /// - Returns: false when it is closed: no lane takes them.
    func add(_ jobs: [Job]) -> Bool {
        let (isTaken, waiter) = state.withLock { state in
            guard !state.isClosed else { return (false, CheckedContinuation<Bool, Never>?.none) }
            state.jobs += jobs
            return (true, state.toWake())
        }
        waiter?.resume(returning: true)
        return isTaken
    }

    /// Waits for a job; nil once it is closed.
    func next() async -> Job? {
        var isWoken = false
        while true {
            let (job, isClosed, waiter) = state.withLock { state in
                if isWoken { state.isWaking = false }
                let job = state.jobs.popFirst()
                return (job, state.isClosed, job == nil ? nil : state.toWake())
            }
            waiter?.resume(returning: true)
            if job != nil || isClosed { return job }
            // Woken, or with something to do at once.
            isWoken = await withCheckedContinuation { continuation in
                let mayGoOn = state.withLock { state in
                    if !state.jobs.isEmpty || state.isClosed { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if mayGoOn { continuation.resume(returning: false) }
            }
        }
    }

    /// Lanes take no more.
    ///
    /// - Returns: what none of them has taken.
    func close() -> [Job] {
        let (left, waiters) = state.withLock { state in
            state.isClosed = true
            defer { (state.jobs, state.waiters) = ([], []) }
            return (state.jobs, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: true) }
        return Array(left)
    }
}

extension WorkMachine.AttemptFailure {
    /// Of a job that no lane takes any more.
    static var untaken: Self { .init(text: "\(CancellationError())") }
}
