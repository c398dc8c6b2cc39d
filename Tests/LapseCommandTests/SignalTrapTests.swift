import Console
import Glibc
import Synchronization
import Testing
import ThrowawayRedis

/// A signal that comes in the moment in which the trap is set must not be lost: a write that fails asks
/// for the end by one.
@Suite(.serialized) struct SignalTrapTests {
    @Test(.timeLimit(.minutes(1))) func aSignalRightAfterTheTrapIsSetCounts() async throws {
        for round in 0..<200 {
            let heard = Atomic<Int32>(0)
            try await withTrap({ heard.store($0, ordering: .sequentiallyConsistent) }) { trap in
                kill(getpid(), SIGTERM)
                try await waitUntil(
                    "the signal of round \(round) is heard", within: .seconds(10), every: .milliseconds(1)
                ) {
                    heard.load(ordering: .sequentiallyConsistent) == SIGTERM ? nil : "not yet"
                }
                #expect(trap.signal == SIGTERM)
            }
        }
    }

    private func withTrap(
        _ onFirst: @escaping @Sendable (Int32) -> Void, _ body: (borrowing SignalTrap) async throws -> Void
    ) async throws {
        let trap = SignalTrap(onFirst: onFirst)
        try await body(trap)
    }
}
