import RedisClient
import Synchronization
import Timing

/// What a lane asks for and brings back.
extension Dispatcher {
    /// What a lane found when it looked.
    private struct Found {
        var batch: Batch?
        var isOver = false
        var actions = DeliveryMachine.Actions()
        var sleeper: Waiter?
        var drained: Waiter?
        var isToBeWatched = false
    }

    /// The next expirations for a lane, in order; nil when the term is over. What the lane had in hand is
    /// done with.
    ///
    /// - Parameter pace: of the lane's handlers. It may take this many; other lanes help, if it does not
    ///   work alone.
    package func next(_ lane: Int, _ pace: Pace) async -> Batch? {
        var hasSlept = false
        while true {
            let found = state.withLock { state in self.look(&state, lane, pace, hasSlept) }
            if found.isToBeWatched { bell.ring() }
            found.sleeper?.resume()
            found.drained?.resume()
            publish(found.actions)
            if found.isOver || found.batch != nil { return found.batch }
            await sleep(told: found.actions.doubtful) { state in
                !state.schedule.mayRest(lane, pace) && (state.schedule.hasMore || findsWork(&state))
            }
            hasSlept = true
        }
    }

    /// A lane sleeps, unless a last look finds it needed; what comes in after that look wakes it.
    ///
    /// - Parameter told: the doubtful nodes that have been told already.
    func sleep(told: Set<NodeAddress>, unless isNeeded: (inout State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let (maySleep, actions) = state.withLock { state -> (Bool, DeliveryMachine.Actions) in
                isAnyIdle.store(true, ordering: .sequentiallyConsistent)
                let isNeeded = isNeeded(&state)
                guard state.machine.phase == .running, !isNeeded else { return (false, DeliveryMachine.Actions()) }
                state.schedule.sleep(continuation)
                // Publish pending news before suspending: nothing would wake this lane for a hole that is not asked
                // about.
                var actions = state.machine.takeActions()
                actions.doubtful.subtract(told)
                return (true, actions)
            }
            if !maySleep { continuation.resume() }
            publish(actions)
        }
    }

    private func look(_ state: inout State, _ lane: Int, _ pace: Pace, _ hasSlept: Bool) -> Found {
        var found = Found()
        let done = state.schedule.arrive(lane, pace, hasSlept: hasSlept)
        noteIdle(state)
        if let done { state.count(done) }
        guard state.machine.phase == .running else {
            found.isOver = true
            found.drained = state.drainedWaiter()
            return found
        }
        if state.schedule.mayRest(lane, pace) { return found }
        let deliveries = state.machine.take(pace.batchLimit)
        noteAwaited(&state)
        if deliveries.isEmpty {
            found.batch = state.schedule.help(lane)
        } else {
            let batch = Batch(deliveries)
            found.batch = batch
            state.trail.note(.handedOut, deliveries, token: state.machine.token, now: WallClock.milliseconds())
            found.isToBeWatched = state.schedule.begin(batch, lane, pace)
            noteIdle(state)
        }
        found.actions = state.machine.takeActions()
        found.sleeper = state.helper()
        return found
    }

    func noteIdle(_ state: State) {
        isAnyIdle.store(state.schedule.wantsWaking, ordering: .sequentiallyConsistent)
    }

    /// Whether a lane would be handed anything: looks into the logs, and counts what lets one go that
    /// waited for its key.
    private func findsWork(_ state: inout State) -> Bool {
        _ = state.machine.hasReady()
        noteAwaited(&state)
        return !state.machine.isPaused && state.machine.readyCount > 0
    }

    /// From the moment a delivery waits for its key, the lane that finishes one looks. What was finished
    /// before is looked at here.
    func noteAwaited(_ state: inout State) {
        let isAwaited = state.machine.isAnyKeyAwaited
        guard isAwaited != isKeyAwaited.load(ordering: .relaxed) else { return }
        isKeyAwaited.store(isAwaited, ordering: .sequentiallyConsistent)
        if isAwaited { state.countAll() }
    }

    /// One of a batch has been handled.
    func finished(_ index: Int, of batch: Batch) {
        batch.finish(index)
        guard isKeyAwaited.load(ordering: .sequentiallyConsistent) else { return }
        let sleeper = state.withLock { state in
            state.count(batch)
            noteAwaited(&state)
            return state.helper()
        }
        sleeper?.resume()
    }

    /// A lane hands back an expiration: finished otherwise than by a handler's success, or to be begun
    /// later.
    @discardableResult
    package func handBack<Result: Sendable>(_ change: (inout DeliveryMachine) -> Result) -> Result {
        let (result, isNextSooner, sleeper, drained) = state.withLock { state in
            let next = state.machine.nextRetry
            let result = change(&state.machine)
            return (result, state.machine.nextRetry != next, state.helper(), state.drainedWaiter())
        }
        if isNextSooner { bell.ring() }
        sleeper?.resume()
        drained?.resume()
        return result
    }

    /// The lane puts down what it has in hand: what no replica has begun waits again.
    package func putDown(_ lane: Int) {
        let (sleeper, drained) = state.withLock { state in
            let (batch, wasAlone) = state.schedule.putDown(lane)
            if let batch {
                state.machine.giveBack(batch.close())
                state.count(batch)
            }
            noteIdle(state)
            return (wasAlone ? state.schedule.wakeOne() : state.helper(), state.drainedWaiter())
        }
        sleeper?.resume()
        drained?.resume()
    }

    // MARK: - For the status

    package var inFlight: Int { inspect { $0.handedOut } }

    /// Lanes that wait for something to do.
    package var idleLanes: Int { state.withLock { $0.schedule.sleeping } }
}
