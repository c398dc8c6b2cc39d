package import LeaderElection
package import RedisClient
import Synchronization
package import Timing

/// Shares a ``DeliveryMachine`` between the lanes: one lock around the decisions, and the lanes to wake
/// after each of them.
///
/// There is no queue besides the logs. A follower's dispatcher stands still; leading is nothing but
/// moving its cursors.
package final class Dispatcher: Sendable {
    /// What happened, for metrics and observers. Called without a lock held.
    package struct Listeners: Sendable {
        /// These are missing in a log: to be filled, or reported as lost; ``DeliveryMachine/settle(_:_:)`` says
        /// when that is done.
        package var hole: @Sendable (Repairer.Hole) -> Void
        package var ignored: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// Counted by a node and never announced.
        package var unannounced: @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void
        /// A node announces for slots it is not known to own: look again.
        package var doubtful: @Sendable (NodeAddress) -> Void
        /// Given up since too many wait: lost.
        package var surplus: @Sendable ([Delivery]) -> Void

        package init(
            hole: @escaping @Sendable (Repairer.Hole) -> Void,
            ignored: @escaping @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void,
            unannounced: @escaping @Sendable (_ node: NodeAddress, _ count: UInt64) -> Void = { _, _ in },
            doubtful: @escaping @Sendable (NodeAddress) -> Void,
            surplus: @escaping @Sendable ([Delivery]) -> Void = { _ in }
        ) {
            self.hole = hole
            self.ignored = ignored
            self.unannounced = unannounced
            self.doubtful = doubtful
            self.surplus = surplus
        }
    }

    typealias Waiter = CheckedContinuation<Void, Never>

    struct State {
        var machine: DeliveryMachine
        var schedule: LaneSchedule<Waiter>
        var drained: Waiter?
        var trail: HandlingTrail

        /// What a batch has finished counts from here on.
        mutating func count(_ batch: Batch) {
            let finished = batch.count()
            guard finished != 0 else { return }
            machine.finish(finished, of: batch.deliveries)
            trail.note(
                .handled, batch.deliveries, bits: finished, token: machine.token, now: WallClock.milliseconds())
        }

        mutating func pause() {
            machine.isPaused = true
            var batches: [Batch] = []
            schedule.forEachBatch { batches.append($0) }
            for batch in batches {
                machine.giveBack(batch.close())
                count(batch)
            }
        }

        mutating func countAll() { schedule.forEachBatch { count($0) } }

        /// A lane that sleeps, if there is anything to begin.
        mutating func helper() -> Waiter? {
            !machine.isPaused && (machine.readyCount > 0 || schedule.hasMore) ? schedule.wakeOne() : nil
        }

        mutating func drainedWaiter() -> Waiter? {
            guard machine.handedOut == 0 else { return nil }
            defer { drained = nil }
            return drained
        }
    }

    let filter: KeyFilter
    private let listeners: Listeners
    let state: Mutex<State>
    /// One waits behind another of its key: the lane that finishes one has it counted at once. Set with the
    /// lock held.
    let isKeyAwaited = Atomic(false)
    /// A lane sleeps, or is about to look for the last time before it does. Set with the lock held: an
    /// append after that look sees it, an append before is seen by it.
    let isAnyIdle = Atomic(false)
    /// Rung when ``watch(now:)`` is to be called.
    package let bell: Doorbell

    package init(
        logs: LogSet, filter: KeyFilter, lanes: Int, order: DeliveryMachine.Order = .ofKeys, bell: Doorbell,
        listeners: Listeners, bounds: WaitingRoom.Bounds = .init(), trail: HandlingTrail = HandlingTrail()
    ) {
        self.filter = filter
        self.bell = bell
        self.listeners = listeners
        let machine = DeliveryMachine(logs: logs, filter: filter, lanes: lanes, order: order, bounds: bounds)
        state = Mutex(State(machine: machine, schedule: LaneSchedule(lanes: lanes), trail: trail))
    }

    // MARK: - Decisions

    /// Changes what the machine knows; then a lane looks what may be done now.
    @discardableResult
    package func update<Result: Sendable>(_ change: (inout DeliveryMachine) -> Result) -> Result {
        let (result, actions, sleeper) = state.withLock { state in
            // What is finished makes room, and lets the next one of its key in.
            state.countAll()
            let result = change(&state.machine)
            noteAwaited(&state)
            return (result, state.machine.takeActions(), state.schedule.wakeOne())
        }
        sleeper?.resume()
        publish(actions)
        return result
    }

    /// Looks once everything that is finished has been counted.
    package func inspect<Result: Sendable>(_ look: (inout DeliveryMachine) -> Result) -> Result {
        state.withLock { state in
            state.countAll()
            return look(&state.machine)
        }
    }

    /// The last steps of each of these expirations through the handlers here, the oldest first.
    func steps(of wanted: [(process: NodeProcess, ordinal: UInt64)]) -> [[HandlingTrail.Step]] {
        // A copy of the ring would cost more than its reading.
        state.withLock { state in
            state.countAll()
            return state.trail.steps(of: wanted)
        }
    }

    /// Expirations have been logged.
    package func appended() {
        guard isAnyIdle.load(ordering: .sequentiallyConsistent) else { return }
        let sleeper = state.withLock { $0.schedule.wakeOne() }
        sleeper?.resume()
    }

    func publish(_ actions: DeliveryMachine.Actions) {
        for hole in actions.holes { listeners.hole(hole) }
        for (node, count) in actions.ignored { listeners.ignored(node, count) }
        for (node, count) in actions.unannounced { listeners.unannounced(node, count) }
        for node in actions.doubtful { listeners.doubtful(node) }
        if !actions.surplus.isEmpty { listeners.surplus(actions.surplus) }
    }

    // MARK: - The term

    /// Begins the machine's term (``DeliveryMachine/begin(token:progress:now:)``), in which a lane may work
    /// alone again.
    package func lead(token: FencingToken, progress: [String: Progress], now: UInt64) {
        state.withLock { state in
            state.machine.begin(token: token, progress: progress, now: now)
            state.schedule.trustAnew()
        }
    }

    /// Stops the machine, and wakes the lanes that sleep: their term is over.
    package func stopHandingOut() {
        let sleepers = state.withLock { state in
            state.machine.stop()
            return state.schedule.wakeAll()
        }
        for sleeper in sleepers { sleeper.resume() }
    }

    /// Nothing is handed out until ``goOn()``, whatever term it is; handlers under way finish. What was
    /// handed out and not begun waits again.
    package func pause() {
        let drained = state.withLock { state in
            state.pause()
            noteIdle(state)
            return state.drainedWaiter()
        }
        drained?.resume()
    }

    /// The end of a pause.
    package func goOn() { update { $0.isPaused = false } }

    /// Waits until everything handed out has come back. After ``stopHandingOut()``.
    package func drained() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.countAll()
                guard state.machine.handedOut > 0 else { return true }
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

    /// Makes due retries ready, and sees to it that no lane waits for one that works alone; returns when to
    /// look next, by the monotonic clock, unless the bell rings before.
    package func watch(now: Duration) -> Duration? {
        let (next, sleeper) = state.withLock { state in
            var next = state.machine.releaseDue(now: now)
            switch state.schedule.watch(now) {
            case .gone: break
            case .back: next = min(next ?? .nanoseconds(Int64.max), now + Soloist.patience)
            case .overdue:
                // No lane was woken for what came in meanwhile.
                noteIdle(state)
                return (next, state.schedule.wakeOne())
            }
            return (next, state.helper())
        }
        sleeper?.resume()
        return next
    }
}
