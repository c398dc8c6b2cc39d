package import LeaderElection
package import RedisClient
import Synchronization
package import Timing

/// Moves the leader's cursors: takes expirations from the logs, hands them to the lanes, keeps account of what was finished.
///
/// There is no queue besides the logs. A follower's dispatcher stands still; leading is nothing but moving its cursors.
package final class Dispatcher: Sendable {
    /// What happened, for metrics and observers. Called without a lock held.
    package struct Listeners: Sendable {
        /// These are missing in a log: to be filled, or reported as lost. ``settle(_:)`` says when that is done.
        package var hole: @Sendable (Repairer.Hole) -> Void
        package var ignored: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// Counted by a node and never announced.
        package var unannounced: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// A node announces for slots it is not known to own: look again.
        package var doubtful: @Sendable (NodeAddress) -> Void
        /// Given up since too many wait: lost.
        package var surplus: @Sendable ([Work]) -> Void

        package init(
            hole: @escaping @Sendable (Repairer.Hole) -> Void,
            ignored: @escaping @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void,
            unannounced: @escaping @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void = { _, _ in },
            doubtful: @escaping @Sendable (NodeAddress) -> Void,
            surplus: @escaping @Sendable ([Work]) -> Void = { _ in }
        ) {
            self.hole = hole
            self.ignored = ignored
            self.unannounced = unannounced
            self.doubtful = doubtful
            self.surplus = surplus
        }
    }

    private struct State {
        var intake: Intake
        var hands: Hands
        var waiters: [CheckedContinuation<Void, Never>] = []
        var soloist = Soloist()
        /// A lane has been woken and is on its way: it will wake the next one if there is more.
        var isWaking = false
        var drained: CheckedContinuation<Void, Never>?

        /// What a batch has finished counts from here on.
        mutating func count(_ batch: Batch) {
            let finished = batch.count()
            if finished != 0 { intake.finish(finished, of: batch.works) }
        }

        mutating func countAll() { hands.forEach { count($0) } }

        /// A lane that waits, if it is needed and no other is on its way.
        mutating func nextWaiter() -> CheckedContinuation<Void, Never>? {
            guard !isWaking, soloist.lane == nil, let waiter = waiters.popLast() else { return nil }
            isWaking = true
            return waiter
        }

        /// The same, if there is anything to begin.
        mutating func helper() -> CheckedContinuation<Void, Never>? {
            intake.readyCount > 0 || hands.hasMore ? nextWaiter() : nil
        }

        mutating func drainedWaiter() -> CheckedContinuation<Void, Never>? {
            guard intake.handedOut == 0 else { return nil }
            defer { drained = nil }
            return drained
        }
    }

    let filter: KeyFilter
    private let listeners: Listeners
    private let state: Mutex<State>
    /// One waits behind another of its key: the lane that finishes one has it counted at once. Set with the lock held.
    private let isKeyAwaited = Atomic(false)
    /// A lane waits, or is about to look for the last time before it does. Set with the lock held: who has added to a log after
    /// that look sees it, who added before is seen by it.
    private let isAnyIdle = Atomic(false)
    /// Rung when ``watch(now:)`` is to be called.
    package let bell: Doorbell

    package init(
        logs: LogBook, filter: KeyFilter, lanes: Int, bell: Doorbell, listeners: Listeners,
        bounds: WaitingRoom.Bounds = .init()
    ) {
        self.filter = filter
        self.bell = bell
        self.listeners = listeners
        let intake = Intake(logs: logs, filter: filter, lanes: lanes, bounds: bounds)
        state = Mutex(State(intake: intake, hands: Hands(lanes: lanes)))
    }

    // MARK: - The term

    /// Starts to move the cursors from where the last leader left them.
    ///
    /// - Parameter now: milliseconds since 1970; what was heard before is a take-over's.
    package func begin(token: FencingToken, progress: [String: Progress], now: UInt64) {
        state.withLock { state in
            state.intake.begin(token: token, progress: progress, now: now)
            state.soloist = Soloist()
        }
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
                state.countAll()
                guard state.intake.handedOut > 0 else { return true }
                state.drained = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// The wait of ``drained()`` is over, whatever is still under way.
    package func stopWaiting() {
        let waiter = state.withLock { state in
            defer { state.drained = nil }
            return state.drained
        }
        waiter?.resume()
    }

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
    package func appended() {
        if isAnyIdle.load(ordering: .sequentiallyConsistent) { wake() }
    }

    package func note(_ poll: TopologyPoll) {
        state.withLock { $0.intake.note(poll) }
        wake()
    }

    /// The replicas seen lately.
    package func note(peers: Set<String>) {
        if state.withLock({ $0.intake.note(peers: peers) }) { wake() }
    }

    /// A hole is as full as it will ever be: what is missing in it now is lost, no more and no less. What its filling
    /// brought and the log's bounds take away again is a new hole.
    ///
    /// - Returns: how many are lost; nil if this term does not wait for it.
    package func settle(_ hole: Repairer.Hole, _ end: RepairInquiry.End) -> UInt64? {
        let lost = state.withLock { $0.intake.settle(hole, end) }
        if lost != nil { wake() }
        return lost
    }

    package func waits(for hole: Repairer.Hole) -> Bool { state.withLock { $0.intake.waits(for: hole) } }

    /// What is known of a node's slots.
    package func ownership(of node: NodeAddress) -> Ownership.OfNode {
        state.withLock { $0.intake.ownership(of: node) }
    }

    /// Makes due retries ready, and sees to it that no lane waits for one that works alone; returns when to look next, by the
    /// monotonic clock, unless the bell rings before.
    package func watch(now: Duration) -> Duration? {
        let (next, helper) = state.withLock { state in
            var next = state.intake.wake(now: now)
            switch state.soloist.watch(now) {
            case .gone: break
            case .back: next = min(next ?? .nanoseconds(Int64.max), now + Soloist.patience)
            case .overdue:
                // No lane was woken for what came in meanwhile.
                noteIdle(state)
                return (next, state.nextWaiter())
            }
            return (next, state.helper())
        }
        helper?.resume()
        return next
    }

    /// One lane looks what there is; it wakes the next one if there is more.
    private func wake() {
        let waiter = state.withLock { $0.nextWaiter() }
        waiter?.resume()
    }

    /// Expirations that were found otherwise than by an announcement; returns those for which it is too early.
    package func offer(_ offered: [Work]) -> [Work] {
        let (refused, news) = state.withLock { state in
            // What is finished makes room, and lets the next one of its key in.
            state.countAll()
            let refused = state.intake.offer(offered)
            noteAwaited(&state)
            return (refused, state.intake.takeNews())
        }
        tell(news)
        if refused.count < offered.count { wake() }
        return refused
    }

    // MARK: - The lanes' side

    /// What a lane found when it looked.
    private struct Look {
        var batch: Batch?
        var isOver = false
        var news = Intake.News()
        var helper: CheckedContinuation<Void, Never>?
        var drained: CheckedContinuation<Void, Never>?
        var isToBeWatched = false
    }

    /// The next expirations for a lane, in order; nil when the term is over. What the lane had in hand is done with.
    ///
    /// - Parameter pace: of the lane's handlers. It may take this many; whatever it takes, others help, if it does not work alone.
    package func next(_ lane: Int, _ pace: Pace) async -> Batch? {
        var wasWaiting = false
        while true {
            let look = state.withLock { state in self.look(&state, lane, pace, wasWaiting) }
            if look.isToBeWatched { bell.ring() }
            look.helper?.resume()
            look.drained?.resume()
            tell(look.news)
            if look.isOver || look.batch != nil { return look.batch }
            let told = look.news.doubtful
            await withCheckedContinuation { continuation in
                let (mayWait, news) = state.withLock { state -> (Bool, Intake.News) in
                    isAnyIdle.store(true, ordering: .sequentiallyConsistent)
                    let mayRest = pace.isFleeting && state.soloist.replaces(lane)
                    guard state.intake.phase == .running, mayRest || !state.hands.hasMore && !hasWork(&state) else {
                        return (false, Intake.News())
                    }
                    state.waiters.append(continuation)
                    // Publish pending news before suspending: nothing would wake this lane for a hole that is not asked about.
                    var news = state.intake.takeNews()
                    news.doubtful.subtract(told)
                    return (true, news)
                }
                if !mayWait { continuation.resume() }
                tell(news)
            }
            wasWaiting = true
        }
    }

    private func look(_ state: inout State, _ lane: Int, _ pace: Pace, _ wasWaiting: Bool) -> Look {
        var look = Look()
        if wasWaiting { state.isWaking = false }
        state.soloist.came(lane)
        if pace.isFleeting, !wasWaiting { state.soloist.trust() }
        noteIdle(state)
        if let batch = state.hands.drop(lane) { state.count(batch) }
        guard state.intake.phase == .running else {
            look.isOver = true
            look.drained = state.drainedWaiter()
            return look
        }
        if pace.isFleeting, state.soloist.replaces(lane) { return look }
        let works = state.intake.take(pace.batchLimit)
        noteAwaited(&state)
        if works.isEmpty {
            look.batch = state.hands.help(lane)
        } else {
            let batch = Batch(works)
            state.hands.take(batch, lane)
            look.batch = batch
            if pace.isFleeting, works.count >= Soloist.least, state.hands.count > 1 {
                look.isToBeWatched = state.soloist.go(lane)
                noteIdle(state)
            }
        }
        look.news = state.intake.takeNews()
        look.helper = state.helper()
        return look
    }

    /// A lane that works alone looks again before it waits: until then none is to be woken.
    private func noteIdle(_ state: State) {
        isAnyIdle.store(!state.waiters.isEmpty && state.soloist.lane == nil, ordering: .sequentiallyConsistent)
    }

    private func hasWork(_ state: inout State) -> Bool {
        _ = state.intake.hasWork()
        // What is counted now may let one go that waited for its key.
        noteAwaited(&state)
        return state.intake.readyCount > 0
    }

    /// From the moment a lane waits for a key, the lane that finishes one looks. What was finished before is looked at here.
    private func noteAwaited(_ state: inout State) {
        let isAwaited = state.intake.isAnyKeyAwaited
        guard isAwaited != isKeyAwaited.load(ordering: .relaxed) else { return }
        isKeyAwaited.store(isAwaited, ordering: .sequentiallyConsistent)
        if isAwaited { state.countAll() }
    }

    /// One of a batch has been handled.
    func finished(_ index: Int, of batch: Batch) {
        batch.finish(index)
        guard isKeyAwaited.load(ordering: .sequentiallyConsistent) else { return }
        let helper = state.withLock { state in
            state.count(batch)
            noteAwaited(&state)
            return state.helper()
        }
        helper?.resume()
    }

    /// Finished otherwise than by a handler's success.
    package func finish(_ work: Work, as outcome: Tally.Outcome = .handled) {
        comeBack { $0.finish(work, as: outcome) }
    }

    /// - Returns: false if too many wait for a retry: it is still handed out.
    @discardableResult
    package func retry(_ work: Work, at due: Duration) -> Bool {
        var hasRoom = true
        comeBack { hasRoom = $0.retry(work, at: due) }
        if hasRoom { bell.ring() }
        return hasRoom
    }

    /// What it needs is out of reach: to be begun later, and this was no attempt. If too many wait it is lost.
    package func postpone(_ work: Work, to due: Duration) {
        comeBack { $0.postpone(work, to: due) }
        bell.ring()
    }

    /// Begun, and cut short: it stays pending for the next leader.
    package func giveBack(_ work: Work) { comeBack { $0.giveBack([work]) } }

    /// The lane puts down what it has in hand: what no replica has begun waits again.
    package func putDown(_ lane: Int) {
        let (helper, drained) = state.withLock { state in
            let wasAlone = state.soloist.came(lane)
            if let batch = state.hands.drop(lane) {
                state.intake.giveBack(batch.close())
                state.count(batch)
            }
            noteIdle(state)
            return (wasAlone ? state.nextWaiter() : state.helper(), state.drainedWaiter())
        }
        helper?.resume()
        drained?.resume()
    }

    private func comeBack(_ change: (inout Intake) -> Void) { self.change { change(&$0.intake) } }

    private func change(_ change: (inout State) -> Void) {
        let (helper, drained) = state.withLock { state in
            change(&state)
            return (state.helper(), state.drainedWaiter())
        }
        helper?.resume()
        drained?.resume()
    }

    private func tell(_ news: Intake.News) {
        for hole in news.holes { listeners.hole(hole) }
        for (node, count) in news.ignored { listeners.ignored(node, count) }
        for (node, count) in news.unannounced { listeners.unannounced(node, count) }
        for node in news.doubtful { listeners.doubtful(node) }
        if !news.surplus.isEmpty { listeners.surplus(news.surplus) }
    }

    // MARK: - Progress

    /// The cursors as they stand, for the registers.
    package func progress() -> [Progress] { counted { $0.progress() } }

    /// The account of every log, all in one step, so that it adds up at every instant; empty while not leading.
    package func accounts() -> [Intake.LogAccount] { counted { $0.accounts() } }

    /// Whether every log has been opened, and none waits for its peers.
    package var isWhole: Bool { state.withLock { $0.intake.isWhole } }

    /// Expirations waiting or under way, by log; only the leader knows.
    package func backlog() -> [String: UInt64] { counted { $0.backlog() } }

    package var inFlight: Int { counted { $0.handedOut } }

    /// Lanes that wait for something to do.
    package var idleLanes: Int { state.withLock { $0.waiters.count } }

    /// Looks once everything that is finished has been counted.
    private func counted<T: Sendable>(_ look: (inout Intake) -> T) -> T {
        state.withLock { state in
            state.countAll()
            return look(&state.intake)
        }
    }
}
