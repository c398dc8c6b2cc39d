import Synchronization

/// A wish to stop, from a signal handler to the running task: kept until it listens.
package final class StopRequest: Sendable {
    private struct State {
        var isAsked = false
        var listener: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    package init() {}

    package var isAsked: Bool { state.withLock { $0.isAsked } }

    package func ask() {
        let listener = state.withLock { state in
            state.isAsked = true
            return state.listener
        }
        listener?()
    }

    /// Calls `listener` when stopping is asked for, at once if it has been. The last one counts.
    package func onAsk(_ listener: @escaping @Sendable () -> Void) {
        let isAsked = state.withLock { state in
            state.listener = listener
            return state.isAsked
        }
        if isAsked { listener() }
    }
}
