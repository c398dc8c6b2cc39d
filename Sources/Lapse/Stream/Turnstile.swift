import DequeModule
import Synchronization

/// Lets one task through at a time, in the order in which they come. Each is let go only when the one
/// before has left, so what is done inside must have an end of its own. A task that is cancelled waits
/// no longer.
final class Turnstile: Sendable {
    private struct State {
        var isTaken = false
        var lastWaiter: UInt64 = 0
        var waiters: Deque<(id: UInt64, turn: CheckedContinuation<Bool, Never>)> = []
    }

    private let state = Mutex(State())

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// - Throws: what the body throws, or `CancellationError` for a task that was cancelled before its
    ///   turn.
    func pass<Value>(_ body: () async throws -> Value) async throws -> Value {
        guard await enter() else { throw CancellationError() }
        defer { leave() }
        return try await body()
    }

    /// False when the task was cancelled before its turn.
    private func enter() async -> Bool {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Bool? = state.withLock { state in
                    // A cancellation that came before this lock is seen here, a later one finds the waiter.
                    if Task.isCancelled { return false }
                    if state.isTaken {
                        state.waiters.append((id, continuation))
                        return nil
                    }
                    state.isTaken = true
                    return true
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            let turn = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let place = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiters.remove(at: place).turn
            }
            turn?.resume(returning: false)
        }
    }

    private func leave() {
        let next = state.withLock { state in
            let next = state.waiters.popFirst()
            if next == nil { state.isTaken = false }
            return next
        }
        next?.turn.resume(returning: true)
    }
}
