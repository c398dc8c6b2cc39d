import Synchronization

/// The result, or nil as soon as the task is cancelled: a server that does not answer must not hold a
/// lane past the end of its term. The work is begun in any case, and goes on by itself within its own
/// time limit.
func unlessCancelled<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) async -> Value? {
    let wait = AbandonableWait<Value>()
    return await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            wait.begin(continuation)
            // It is not awaited past a cancellation: that is what it is for. Its own time limit ends it.
            Task { wait.end(await body()) }
        }
    } onCancel: {
        wait.end(nil)
    }
}

/// One wait that ends once: with the result, or without.
private final class AbandonableWait<Value: Sendable>: Sendable {
    private enum Phase {
        case idle
        case waiting(CheckedContinuation<Value?, Never>)
        case over
    }

    private let phase = Mutex(Phase.idle)

    func begin(_ continuation: CheckedContinuation<Value?, Never>) {
        let mayWait = phase.withLock { phase in
            guard case .idle = phase else { return false }
            phase = .waiting(continuation)
            return true
        }
        if !mayWait { continuation.resume(returning: nil) }
    }

    func end(_ value: Value?) {
        let waiter = phase.withLock { phase -> CheckedContinuation<Value?, Never>? in
            defer { phase = .over }
            guard case .waiting(let continuation) = phase else { return nil }
            return continuation
        }
        waiter?.resume(returning: value)
    }
}
