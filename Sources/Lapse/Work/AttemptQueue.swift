import DequeModule
import Synchronization

/// Attempts that are counted and wait for a lane: no more than there are lanes.
final class AttemptQueue: Sendable {
    struct Job: Sendable {
        var entry: WorkEntry
        var content: WorkContent
        var attempt: Int

        /// What the machine is told of one that no lane takes any more.
        var untaken: WorkLoop.Report {
            .init(event: .failed(entry, .init(text: "\(CancellationError())")))
        }
    }

    private struct State {
        var jobs: Deque<Job> = []
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isClosed = false

        /// The lane that waited last: the others sleep on. It wakes the next one itself if it finds more than
        /// it takes, so that few are woken for what one can do.
        mutating func toWake() -> CheckedContinuation<Void, Never>? { jobs.isEmpty ? nil : waiters.popLast() }
    }

    private let state = Mutex(State())

    /// - Returns: false when it is closed: no lane takes them.
    func add(_ jobs: [Job]) -> Bool {
        let (isTaken, waiter) = state.withLock { state in
            guard !state.isClosed else { return (false, CheckedContinuation<Void, Never>?.none) }
            state.jobs += jobs
            return (true, state.toWake())
        }
        waiter?.resume()
        return isTaken
    }

    /// Waits for a job; nil once it is closed.
    func next() async -> Job? {
        while true {
            let (job, isClosed, waiter) = state.withLock { state in
                let job = state.jobs.popFirst()
                return (job, state.isClosed, job == nil ? nil : state.toWake())
            }
            waiter?.resume()
            if job != nil || isClosed { return job }
            await withCheckedContinuation { continuation in
                let mayGoOn = state.withLock { state in
                    if !state.jobs.isEmpty || state.isClosed { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if mayGoOn { continuation.resume() }
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
        for waiter in waiters { waiter.resume() }
        return Array(left)
    }
}
