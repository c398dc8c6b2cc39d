import Synchronization

/// How the service is brought to its end from wherever the reason appears.
final class Ending: Sendable {
    private struct State {
        var stop: (@Sendable () -> Void)?
        var failure: Failure?
    }

    private let state = Mutex(State())

    var failure: Failure? { state.withLock { $0.failure } }

    func attach(_ stop: @escaping @Sendable () -> Void) {
        let hasBegun = state.withLock { state in
            state.stop = stop
            return state.failure != nil
        }
        if hasBegun { stop() }
    }

    func begin(because failure: Failure? = nil) {
        let stop = state.withLock { state in
            state.failure = state.failure ?? failure
            return state.stop
        }
        stop?()
    }
}
