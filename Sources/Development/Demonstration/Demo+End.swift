import Console
import Glibc
import ThrowawayRedis

extension Demo {
    /// Runs until the account is settled or a signal comes; returns the exit code: 0 when no expiration was
    /// lost.
    package static func toItsEnd() async throws -> Int32 {
        // Before anything is printed: stdout that cannot be written interrupts as a terminal does.
        let ending = StopRequest()
        let trap = SignalTrap { _ in ending.ask() }
        // A task of its own, awaited below, so that a signal can cancel it.
        let demo = Task { try await Demo().run() }
        ending.onAsk { demo.cancel() }
        do {
            let account = try await demo.value
            return account.lost.isEmpty ? 0 : 1
        } catch let error where trap.signal != nil {
            guard error is CancellationError || error is ThrowawayRedisError else { throw error }
            // An interrupt, unless the reader of the output has gone.
            try await StandardStream.print("interrupted; everything is cleaned up")
            return 128 + (trap.signal ?? SIGINT)
        }
    }
}
