package import LeaderElection
package import RedisClient
import Synchronization

/// Moves the leader's cursors: takes expirations from the logs, hands them to the lanes, keeps account of what was finished.
///
/// There is no queue besides the logs. A follower's dispatcher stands still; leading is nothing but moving its cursors.
package final class Dispatcher: Sendable {
    /// What happened, for metrics and observers. Called without a lock held.
    package struct Listeners: Sendable {
        /// These are missing in a log: to be filled, or reported as lost. ``settle(_:)`` says when that is done.
        package var hole: @Sendable (Repairer.Hole) -> Void
        package var ignored: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// A node announces for slots it is not known to own: look again.
        package var doubtful: @Sendable (NodeAddress) -> Void
    }

    private struct State {
        var intake: Intake
        var waiters: [CheckedContinuation<Void, Never>] = []
        var drained: CheckedContinuation<Void, Never>?
    }

    let filter: KeyFilter
    private let lanes: Int
    private let listeners: Listeners
    private let state: Mutex<State>
    /// Rung when a retry has been scheduled.
    package let retryBell: Doorbell

    package init(logs: LogBook, filter: KeyFilter, lanes: Int, retryBell: Doorbell, listeners: Listeners) {
        self.filter = filter
        self.lanes = lanes
        self.retryBell = retryBell
        self.listeners = listeners
        state = Mutex(State(intake: Intake(logs: logs, filter: filter, lanes: lanes)))
    }

    // MARK: - The term

    /// Starts to move the cursors from where the last leader left them.
    ///
    /// - Parameter now: milliseconds since 1970; what was heard before is a take-over's.
    package func begin(token: FencingToken, progress: [String: Progress], now: UInt64) {
        state.withLock { $0.intake.begin(token: token, progress: progress, now: now) }
    }

    /// Nothing new is handed out from now on.
    package func stopIntake() {
        let waiters = state.withLock { state in
            state.intake.stop()
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until everything handed out has come back. After ``stopIntake()``.
    package func drained() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                guard state.intake.handedOut > 0 else { return true }
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
            state.intake.end()
            return state.intake.takeNews()
        }
        tell(news)
    }

    // MARK: - What comes in

    /// Expirations have been logged.
    package func appended(_ count: Int) { wake(count) }

    package func note(_ poll: TopologyPoll) {
        state.withLock { $0.intake.note(poll) }
        wake(1)
    }

    /// The replicas seen lately.
    package func note(peers: Set<String>) {
        if state.withLock({ $0.intake.note(peers: peers) }) { wake(1) }
    }

    /// A hole is as full as it will ever be: what is missing in it now is lost, no more and no less. What its filling
    /// brought and the log's bounds take away again is a new hole.
    ///
    /// - Returns: how many are lost; nil if this term does not wait for it.
    package func settle(_ hole: Repairer.Hole, _ end: RepairInquiry.End) -> UInt64? {
        let lost = state.withLock { $0.intake.settle(hole, end) }
        if lost != nil { wake(lanes) }
        return lost
    }

    package func waits(for hole: Repairer.Hole) -> Bool { state.withLock { $0.intake.waits(for: hole) } }

    /// What is known of a node's slots.
    package func ownership(of node: NodeAddress) -> Ownership.OfNode {
        state.withLock { $0.intake.ownership(of: node) }
    }

    /// Makes due retries ready; returns when the next one is due, by the monotonic clock.
    package func wakeRetries(now: Duration) -> Duration? {
        let next = state.withLock { $0.intake.wake(now: now) }
        wake(1)
        return next
    }

    private func wake(_ count: Int) {
        let waiters = state.withLock { state in
            let woken = state.waiters.suffix(count)
            state.waiters.removeLast(woken.count)
            return woken
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Expirations that were found otherwise than by an announcement; returns those for which it is too early.
    package func offer(_ offered: [Work]) -> [Work] {
        let (refused, news) = state.withLock { ($0.intake.offer(offered), $0.intake.takeNews()) }
        tell(news)
        if refused.count < offered.count { wake(offered.count - refused.count) }
        return refused
    }

    // MARK: - The lanes' side

    /// The next expirations for a lane, in order; empty when the term is over.
    package func next() async -> [Work] {
        while true {
            var news = Intake.News()
            var another: CheckedContinuation<Void, Never>?
            let (work, isOver) = state.withLock { state -> ([Work], Bool) in
                guard state.intake.phase == .running else { return ([], true) }
                let work = state.intake.take()
                news = state.intake.takeNews()
                // One ring may stand for many expirations (retries due, a doubt settled): each lane wakes the next.
                if state.intake.readyCount > 0 { another = state.waiters.popLast() }
                return (work, false)
            }
            another?.resume()
            tell(news)
            if isOver || !work.isEmpty { return work }
            let told = news.doubtful
            await withCheckedContinuation { continuation in
                let (mayWait, news) = state.withLock { state -> (Bool, Intake.News) in
                    guard state.intake.phase == .running, !state.intake.hasWork() else { return (false, Intake.News()) }
                    state.waiters.append(continuation)
                    // Whoever waits leaves nothing untold: a hole that nobody is asked about wakes nobody.
                    var news = state.intake.takeNews()
                    news.doubtful.subtract(told)
                    return (true, news)
                }
                if !mayWait { continuation.resume() }
                tell(news)
            }
        }
    }

    package func finish(_ work: Work, as outcome: Tally.Outcome = .handled) {
        let (lane, drained) = state.withLock { state in
            state.intake.finish(work, as: outcome)
            return (state.intake.readyCount > 0 ? state.waiters.popLast() : nil, drainedWaiter(&state))
        }
        lane?.resume()
        drained?.resume()
    }

    package func retry(_ work: Work, at due: Duration) { comeBack { $0.retry(work, at: due) } }

    /// What it needs is out of reach: to be begun later, and this was no attempt.
    package func postpone(_ work: Work, to due: Duration) { comeBack { $0.postpone(work, to: due) } }

    private func comeBack(_ change: (inout Intake) -> Void) {
        state.withLock { change(&$0.intake) }
        retryBell.ring()
        resumeDrained(ifDone: true)
    }

    /// Handed out, and not to be begun any more: it stays pending for the next leader.
    package func giveBack(_ work: ArraySlice<Work>) {
        guard !work.isEmpty else { return }
        state.withLock { $0.intake.giveBack(work) }
        resumeDrained(ifDone: true)
    }

    private func resumeDrained(ifDone: Bool = false) {
        state.withLock { drainedWaiter(&$0, ifDone: ifDone) }?.resume()
    }

    private func drainedWaiter(_ state: inout State, ifDone: Bool = true) -> CheckedContinuation<Void, Never>? {
        guard !ifDone || state.intake.handedOut == 0 else { return nil }
        defer { state.drained = nil }
        return state.drained
    }

    private func tell(_ news: Intake.News) {
        for hole in news.holes { listeners.hole(hole) }
        for (node, count) in news.ignored { listeners.ignored(node, count) }
        for node in news.doubtful { listeners.doubtful(node) }
    }

    // MARK: - Progress

    /// The cursors as they stand, for the registers.
    package func progress() -> [Progress] { state.withLock { $0.intake.progress() } }

    /// The account of every log, all in one step, so that it adds up at every instant; empty while not leading.
    package func accounts() -> [Intake.LogAccount] { state.withLock { $0.intake.accounts() } }

    /// Expirations waiting or under way, by log; only the leader knows.
    package func backlog() -> [String: UInt64] { state.withLock { $0.intake.backlog() } }

    /// Lanes that wait for something to do.
    package var idleLanes: Int { state.withLock { $0.waiters.count } }

    package var inFlight: Int { state.withLock { $0.intake.handedOut } }
}
