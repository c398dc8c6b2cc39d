import Dispatch
import Foundation
import Synchronization

/// The one thread that starts children.
///
/// PR_SET_PDEATHSIG fires when the *thread* that started the child ends, and threads of a pool come and
/// go: a child started from one would be killed in the middle of a test. This thread lives as long as
/// the process.
final class SpawningThread: Sendable {
    static let shared = SpawningThread()

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let available = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            while true {
                available.wait()
                let job = jobs.withLock { $0.removeFirst() }
                job()
            }
        }
        thread.name = "spawning"
        thread.start()
    }

    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            jobs.withLock { $0.append { continuation.resume(with: Result(catching: work)) } }
            available.signal()
        }
    }
}
