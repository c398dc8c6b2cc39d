import Foundation
import Synchronization
import ThrowawayRedis

/// Sets keys that are not wanted, with a TTL, at a steady rate.
final class BackgroundWrites: Sendable {
    private let isOver = Mutex(false)

    /// - Parameter rate: keys a second.
    init(_ server: ThrowawayServer, each rate: Int) throws {
        let timers = Timers(server)
        // It ends with ``stop()``, or with this process.
        Thread { [self] in
            let start = ContinuousClock.now
            var sent = 0
            while !isOver.withLock({ $0 }) {
                let due = Int((ContinuousClock.now - start) / .seconds(1) * Double(rate))
                try? timers.send((sent..<due).map { "w:\($0)" }) { ["SET", $0, "1", "EX", "600"] }
                sent = due
                Thread.sleep(forTimeInterval: 0.01)
            }
        }.start()
    }

    func stop() { isOver.withLock { $0 = true } }
}
