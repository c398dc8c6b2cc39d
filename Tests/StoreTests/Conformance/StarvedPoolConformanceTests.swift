import Dispatch
import LeaderElection
import NIOCore
import Synchronization
import Testing

/// Row 23 over every store: handlers block every thread of the cooperative pool.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct StarvedPoolConformanceTests {
    /// Blocks the threads that join it. It watches from a thread of its own, since nothing on the pool can.
    private final class Blockade: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let blocked = Atomic(0)

        func join() {
            blocked.add(1, ordering: .sequentiallyConsistent)
            gate.wait()
        }

        func watch(
            _ count: Int, until condition: @escaping @Sendable () -> Bool, then: @escaping @Sendable (Bool) -> Void
        ) {
            DispatchQueue(label: "watch").async {
                var met = false
                for _ in 0..<40_000 where !met {
                    met = condition()
                    if !met { _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(1)) }
                }
                then(met)
                for _ in 0..<count { self.gate.signal() }
            }
        }

        /// No thread of the pool is left.
        var isComplete: Bool { blocked.load(ordering: .sequentiallyConsistent) >= System.coreCount }
    }

    private let many = 64

    private func starve(_ blockade: Blockade) async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<many { group.addTask { blockade.join() } }
        }
    }

    /// Three leases long: without renewals the term would be over.
    @Test(arguments: StoresUnderTest.present)
    func renewalGoesOn(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let replica = try await stage.replica("a", of: name, Chronicle())
            let blockade = Blockade()
            let elector = replica.elector
            let span = kind.lease * 3
            try await elector.run { term in
                let start = ContinuousClock.now
                blockade.watch(many) {
                    blockade.isComplete && (ContinuousClock.now - start > span || !term.lease.isValid)
                } then: { met in
                    #expect(met && term.lease.isValid)
                }
                await starve(blockade)
                elector.stop()
            }
        }
    }

    /// Nothing comes through, and the pool is blocked: the lease ends by itself, and its requests with it.
    @Test(arguments: StoresUnderTest.present)
    func steppingDownHappens(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            let name = StoreStage.name()
            let proxy = try await stage.proxy()
            let replica = try await stage.replica("a", of: name, Chronicle(), through: proxy)
            let blockade = Blockade()
            let elector = replica.elector
            // Let go late, the body may also have overrun its lease; that is another test's.
            _ = try? await elector.run { term in
                try await proxy.set(.blackHole)
                blockade.watch(many) {
                    blockade.isComplete && !term.lease.isValid && elector.state.role == .stopping
                } then: { met in
                    #expect(met)
                }
                await starve(blockade)
                elector.stop()
                try await proxy.set(.pass)
            }
        }
    }
}
