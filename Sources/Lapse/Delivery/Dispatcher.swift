package import LeaderElection
package import RedisClient
import Synchronization

/// Moves the leader's cursors: takes expirations from the logs, hands them to the lanes, keeps account of what was finished.
///
/// There is no queue besides the logs. A follower's dispatcher stands still; leading is nothing but moving its cursors.
package final class Dispatcher: Sendable {
    /// What happened, for metrics and observers. Called without a lock held.
    package struct Listeners: Sendable {
        /// These are missing in a log: to be filled, or reported as lost. ``filled(_:)`` says when that is done.
        package var hole: @Sendable (Repairer.Hole) -> Void
        package var ignored: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// A node announces for slots it is not known to own: look again.
        package var doubtful: @Sendable (NodeAddress) -> Void
    }

    enum Phase { case idle, running, draining }

    struct State {
        var phase = Phase.idle
        var machine = DispatchMachine()
        var ownership = Ownership()
        var progress: [String: Progress] = [:]
        /// Milliseconds since 1970.
        var termBegan: UInt64 = 0
        var token: UInt64 = 0
        var writes: UInt64 = 0
        var handedOut = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
        var drained: CheckedContinuation<Void, Never>?
        var rotation = 0
        /// Logs that stand still until a hole has been filled, as far as it can be.
        var repairing: [String: ClosedRange<UInt64>] = [:]
        /// What nobody has, of each log, ahead of its cursor: reported as lost, and to be passed over.
        var lost: [String: [ClosedRange<UInt64>]] = [:]
        var news = News()
    }

    /// What the listeners are to be told once the lock is released.
    struct News {
        var holes: [Repairer.Hole] = []
        var ignored: [NodeAddress: UInt64] = [:]
        var doubtful: Set<NodeAddress> = []
    }

    let logs: LogBook
    let filter: KeyFilter
    private let lanes: Int
    private let listeners: Listeners
    let state = Mutex(State())
    /// Rung when a retry has been scheduled.
    package let retryBell: Doorbell
    /// The most expirations taken up and not finished; bounds the list of pending ones in the progress.
    let pendingLimit: Int
    private static let batchLimit = 64

    package init(logs: LogBook, filter: KeyFilter, lanes: Int, retryBell: Doorbell, listeners: Listeners) {
        self.logs = logs
        self.filter = filter
        self.lanes = lanes
        self.retryBell = retryBell
        self.listeners = listeners
        pendingLimit = max(1024, lanes * 16)
    }

    // MARK: - The term

    /// Starts to move the cursors from where the last leader left them.
    ///
    /// - Parameter now: milliseconds since 1970; what was heard before is a take-over's.
    package func begin(token: FencingToken, progress: [String: Progress], now: UInt64) {
        state.withLock { state in
            state.machine = DispatchMachine()
            state.progress = progress
            state.termBegan = now
            state.token = token.rawValue
            state.writes = 0
            state.handedOut = 0
            state.repairing = [:]
            state.lost = [:]
            state.phase = .running
        }
    }

    /// Nothing new is handed out from now on.
    package func stopIntake() {
        let waiters = state.withLock { state in
            if state.phase == .running { state.phase = .draining }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until everything handed out has come back. After ``stopIntake()``.
    package func drained() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                guard state.handedOut > 0 else { return true }
                state.drained = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// The wait of ``drained()`` is over, whatever is still under way.
    package func stopWaiting() { resumeDrained() }

    /// The term is over; every lane has returned.
    package func end() {
        let news = state.withLock { state in
            state.phase = .idle
            state.machine = DispatchMachine()
            state.progress = [:]
            defer { state.news = News() }
            return state.news
        }
        tell(news)
    }

    // MARK: - What comes in

    /// Expirations have been logged.
    package func appended(_ count: Int) { wake(count) }

    package func note(_ poll: TopologyPoll) {
        state.withLock { $0.ownership.note(poll) }
        wake(1)
    }

    /// A hole is as full as it will ever be. False if this term does not wait for it.
    package func filled(_ hole: Repairer.Hole) -> Bool { settle(hole) != nil }

    /// A hole is as full as it will ever be: what is missing in it now is lost, no more and no less. What its filling
    /// brought and the log's bounds take away again is a new hole.
    ///
    /// - Returns: how many are lost; nil if this term does not wait for it.
    package func settle(_ hole: Repairer.Hole) -> UInt64? {
        let lost = state.withLock { state -> UInt64? in
            guard state.phase != .idle, state.repairing[hole.runID] == hole.ordinals else { return nil }
            state.repairing[hole.runID] = nil
            let missing = logs[hole.runID]?.missing(in: hole.ordinals) ?? [hole.ordinals]
            state.lost[hole.runID, default: []] += missing
            return missing.reduce(0) { $0 + UInt64($1.count) }
        }
        if lost != nil { wake(lanes) }
        return lost
    }

    /// Makes due retries ready; returns when the next one is due, by the monotonic clock.
    package func wakeRetries(now: Duration) -> Duration? {
        let next = state.withLock { $0.machine.wake(now: now) }
        wake(1)
        return next
    }

    func wake(_ count: Int) {
        let waiters = state.withLock { state in
            let woken = state.waiters.suffix(count)
            state.waiters.removeLast(woken.count)
            return woken
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: - The lanes' side

    /// The next expirations for a lane, in order; empty when the term is over.
    package func next() async -> [Work] {
        while true {
            var news = News()
            var another: CheckedContinuation<Void, Never>?
            let (work, isOver) = state.withLock { state -> ([Work], Bool) in
                guard state.phase == .running else { return ([], true) }
                let work = take(&state)
                news = state.news
                state.news = News()
                // One ring may stand for many expirations (retries due, a doubt settled): each lane wakes the next.
                if state.machine.readyCount > 0 { another = state.waiters.popLast() }
                return (work, false)
            }
            another?.resume()
            tell(news)
            if isOver || !work.isEmpty { return work }
            let told = news.doubtful
            await withCheckedContinuation { continuation in
                let (mayWait, news) = state.withLock { state -> (Bool, News) in
                    guard state.phase == .running, !hasWork(&state) else { return (false, News()) }
                    state.waiters.append(continuation)
                    // Whoever waits leaves nothing untold: a hole that nobody is asked about wakes nobody.
                    defer { state.news = News() }
                    state.news.doubtful.subtract(told)
                    return (true, state.news)
                }
                if !mayWait { continuation.resume() }
                tell(news)
            }
        }
    }

    package func finish(_ work: Work, as outcome: Tally.Outcome = .handled) {
        let (lane, drained) = state.withLock { state in
            state.machine.finish(work, as: outcome)
            state.handedOut -= 1
            return (state.machine.readyCount > 0 ? state.waiters.popLast() : nil, drainedWaiter(&state))
        }
        lane?.resume()
        drained?.resume()
    }

    package func retry(_ work: Work, at due: Duration) { comeBack { $0.retry(work, at: due) } }

    /// What it needs is out of reach: to be begun later, and this was no attempt.
    package func postpone(_ work: Work, to due: Duration) { comeBack { $0.postpone(work, to: due) } }

    private func comeBack(_ change: (inout DispatchMachine) -> Void) {
        state.withLock { state in
            change(&state.machine)
            state.handedOut -= 1
        }
        retryBell.ring()
        resumeDrained(ifDone: true)
    }

    /// Handed out, and not to be begun any more: it stays pending for the next leader.
    package func giveBack(_ work: ArraySlice<Work>) {
        guard !work.isEmpty else { return }
        state.withLock { state in
            state.machine.giveBack(work)
            state.handedOut -= work.count
        }
        resumeDrained(ifDone: true)
    }

    private func resumeDrained(ifDone: Bool = false) {
        state.withLock { drainedWaiter(&$0, ifDone: ifDone) }?.resume()
    }

    private func drainedWaiter(_ state: inout State, ifDone: Bool = true) -> CheckedContinuation<Void, Never>? {
        guard !ifDone || state.handedOut == 0 else { return nil }
        defer { state.drained = nil }
        return state.drained
    }

    private func take(_ state: inout State) -> [Work] {
        if state.machine.readyCount < lanes { fill(&state) }
        // Few waiting: one each, so that no lane holds what another could begin. Many: enough to make the locking cheap.
        let share = max(1, min(Self.batchLimit, state.machine.readyCount / lanes))
        let work = state.machine.take(share)
        state.handedOut += work.count
        return work
    }

    private func hasWork(_ state: inout State) -> Bool {
        if state.machine.readyCount == 0 { fill(&state) }
        return state.machine.readyCount > 0
    }

    func tell(_ news: News) {
        for hole in news.holes { listeners.hole(hole) }
        for (node, count) in news.ignored { listeners.ignored(node, count) }
        for node in news.doubtful { listeners.doubtful(node) }
    }

    /// Lanes that wait for something to do.
    package var idleLanes: Int { state.withLock { $0.waiters.count } }

    package var inFlight: Int { state.withLock { $0.handedOut } }
}
