#if MySQL
import LeaderElection
import NIOPosix
import Synchronization

/// One thread for calls that block, in the order in which they are asked for.
final class DatabaseThread: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    init() { pool.start() }

    /// Runs `work` and answers where the caller runs. A cancelled caller gets its answer at once; work that
    /// has begun is then still done to its end, so that the connection stays in step, and work that has not
    /// is dropped. So is work that waited longer than `patience` behind a server that does not answer: it
    /// would hold up what is asked now.
    func run<Answer: Sendable>(
        patience: Duration? = nil, _ work: @escaping @Sendable () -> Result<Answer, RegisterError>
    ) async throws(RegisterError) -> Answer {
        let call = Call<Answer>()
        let asked = ContinuousClock.now
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard call.wait(continuation) else { return }
                pool.submit { state in
                    guard state == .active else { return call.settle(.failure(.unreachable("shut down"))) }
                    guard call.isWaitedFor else { return }
                    if let patience, ContinuousClock.now - asked > patience {
                        return call.settle(.failure(.timedOut))
                    }
                    call.settle(work())
                }
            }
        } onCancel: {
            call.settle(.failure(.cancelled))
        }
        return try result.get()
    }

    /// Waits for the thread's end. What has not begun fails.
    func shutDown() async {
        // It fails only when it was shut down before.
        try? await pool.shutdownGracefully()
    }
}

/// One answer that either the thread or a cancellation gives, whichever is first.
private final class Call<Answer: Sendable>: Sendable {
    typealias Outcome = Result<Answer, RegisterError>

    private enum State {
        case fresh
        case waiting(CheckedContinuation<Outcome, Never>)
        case settledEarly(Outcome)
        case settled
    }

    private let state = Mutex(State.fresh)

    /// False if it was cancelled already.
    func wait(_ continuation: CheckedContinuation<Outcome, Never>) -> Bool {
        let early: Outcome? = state.withLock { state in
            if case .settledEarly(let outcome) = state {
                state = .settled
                return outcome
            }
            state = .waiting(continuation)
            return nil
        }
        guard let early else { return true }
        continuation.resume(returning: early)
        return false
    }

    var isWaitedFor: Bool {
        state.withLock { if case .waiting = $0 { true } else { false } }
    }

    func settle(_ outcome: Outcome) {
        let waiting: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            switch state {
            case .fresh:
                state = .settledEarly(outcome)
                return nil
            case .waiting(let continuation):
                state = .settled
                return continuation
            case .settledEarly, .settled: return nil
            }
        }
        waiting?.resume(returning: outcome)
    }
}
#endif
