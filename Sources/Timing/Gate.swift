import Synchronization

/// A door that opens once, and that any number of tasks may wait at.
package final class Gate: Sendable {
    private struct State {
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())
    /// Set with the lock held; read without it by code that only looks, which lanes do for each handler.
    private let opened = Atomic(false)

    package init() {}

    package var isOpen: Bool { opened.load(ordering: .acquiring) }

    package func open() {
        let waiters = state.withLock { state in
            opened.store(true, ordering: .releasing)
            defer { state.waiters.removeAll() }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when the gate is open or the task is cancelled.
    package func wait() async {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goOn = state.withLock { state in
                    // A cancellation that came before this lock is seen here, a later one finds the waiter.
                    if isOpen || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if goOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}
