import Synchronization
import Timing

/// What a lane for batches asks for and brings back.
extension Dispatcher {
    /// What such a lane found when it looked.
    private struct Found {
        var batch: NodeBatch?
        var isOver = false
        var actions = DeliveryMachine.Actions()
        var sleeper: Waiter?
        var drained: Waiter?
    }

    /// The next batch of a node of which none is on its way; nil when the term is over.
    func nextBatch(after done: NodeBatch.Done?, upTo limit: Int) async -> NodeBatch? {
        var done = done
        var hasSlept = false
        while true {
            let found = state.withLock { look(&$0, done, limit, hasSlept: hasSlept) }
            done = nil
            found.sleeper?.resume()
            found.drained?.resume()
            publish(found.actions)
            if found.isOver || found.batch != nil { return found.batch }
            await sleep(told: found.actions.doubtful) { $0.machine.hasBatch() }
            hasSlept = true
        }
    }

    private func look(_ state: inout State, _ done: NodeBatch.Done?, _ limit: Int, hasSlept: Bool) -> Found {
        var found = Found()
        if hasSlept { state.schedule.isUp() }
        if let done {
            state.countHandled(done.handled, of: done.batch)
            state.machine.isBack(done.batch)
        }
        noteIdle(state)
        guard state.machine.phase == .running else {
            found.isOver = true
            found.drained = state.drainedWaiter()
            return found
        }
        found.batch = state.machine.takeBatch(upTo: limit)
        if let list = found.batch?.deliveries {
            state.trail.note(.handedOut, list, token: state.machine.token, now: WallClock.milliseconds())
        }
        // Looked for only where one sleeps that could take it.
        if state.schedule.wantsWaking, state.machine.hasBatch() { found.sleeper = state.schedule.wakeOne() }
        found.actions = state.machine.takeActions()
        return found
    }

    /// These of a batch have been handled, and others of it not.
    func finished(_ handled: [Range<Int>], of batch: NodeBatch) {
        let now = WallClock.milliseconds()
        update { $0.finish(handled, of: batch) }
        state.withLock { $0.addToTrail(handled, of: batch, now) }
    }

    /// A lane puts down a batch that it has not begun.
    func putDown(_ batch: NodeBatch) {
        let (sleeper, drained) = state.withLock { state in
            state.machine.giveBack(batch)
            return (state.schedule.wakeOne(), state.drainedWaiter())
        }
        sleeper?.resume()
        drained?.resume()
    }
}

extension Dispatcher.State {
    fileprivate mutating func countHandled(_ handled: [Range<Int>], of batch: NodeBatch) {
        machine.finish(handled, of: batch)
        if !handled.isEmpty { addToTrail(handled, of: batch, WallClock.milliseconds()) }
    }

    fileprivate mutating func addToTrail(_ handled: [Range<Int>], of batch: NodeBatch, _ now: UInt64) {
        for range in handled { trail.note(.handled, batch.deliveries, range, token: machine.token, now: now) }
    }
}
