package import NIOCore
import Synchronization

/// Lets one task wait for a ring or for time to pass, whichever comes first.
///
/// Time is kept by an event loop, not by the global pool: a handler that blocks every thread of the
/// pool delays no task that waits here on a loop's executor. A ring while no task waits is kept (once)
/// for the next wait.
package final class Doorbell: Sendable {
    package enum Answer: Sendable { case rung, timeout, cancelled }

    private struct State {
        var rung = false
        var waiter: CheckedContinuation<Answer, Never>?
        var visit = 0
        /// The visit whose time was over before its waiter stood there.
        var overdue = 0
    }

    package let loop: any EventLoop
    private let state = Mutex(State())

    package init(on loop: any EventLoop) { self.loop = loop }

    package func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Answer, Never>? in
            guard let waiter = state.waiter else {
                state.rung = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: .rung)
    }

    /// Waits for a ring, for `limit` to pass, or for cancellation. One waiter at a time.
    package func wait(upTo limit: Duration? = nil) async -> Answer {
        await wait(until: limit.map { .now() + TimeAmount($0) })
    }

    /// Waits for a ring, for the next beat, or for cancellation. One waiter at a time.
    package func wait(for beat: SharedTick) async -> Answer { await wait(until: beat.next(after: .now())) }

    private func wait(until deadline: NIODeadline?) async -> Answer {
        let visit = state.withLock { state in
            state.visit += 1
            return state.visit
        }
        let timer = deadline.map { deadline in
            loop.scheduleTask(deadline: deadline) { self.finish(visit, .timeout) }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Answer? = state.withLock { state in
                    if state.rung {
                        state.rung = false
                        return .rung
                    }
                    if Task.isCancelled { return .cancelled }
                    if state.overdue == visit { return .timeout }
                    precondition(state.waiter == nil, "a doorbell has one waiter")
                    state.waiter = continuation
                    return nil
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            finish(visit, .cancelled)
        }
    }

    private func finish(_ visit: Int, _ answer: Answer) {
        let waiter = state.withLock { state -> CheckedContinuation<Answer, Never>? in
            guard state.visit == visit else { return nil }
            guard let waiter = state.waiter else {
                state.overdue = visit
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: answer)
    }
}
