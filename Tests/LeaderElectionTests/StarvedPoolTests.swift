import Dispatch
import LeaderElection
import Logging
import NIOCore
import Simulation
import Synchronization
import Testing

/// Row 23: handlers block every thread of the cooperative pool.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StarvedPoolTests {
    /// Blocks every thread of the pool until it is opened. It watches from a thread of its own, since
    /// nothing on the pool can.
    private final class Blockade: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let blocked = Atomic(0)

        func join() {
            blocked.add(1, ordering: .sequentiallyConsistent)
            gate.wait()
        }

        /// Watches from outside until `condition` holds (or a long time passed), then lets everybody go.
        func watch(
            _ count: Int, until condition: @escaping @Sendable () -> Bool, then: @escaping @Sendable (Bool) -> Void
        ) {
            DispatchQueue(label: "watch").async {
                var met = false
                for _ in 0..<20_000 where !met {
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

    /// More tasks than the pool has threads, each of which blocks.
    private func starve(_ blockade: Blockade, _ count: Int) async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<count { group.addTask { blockade.join() } }
        }
    }

    private let many = 64

    @Test func renewalGoesOn() async throws {
        let store = MemoryStore(registers: 3)
        let elector = try Elector(
            store: store, configuration: .init(name: "test", id: "a", leaseTTL: .milliseconds(1500)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let blockade = Blockade()
        try await elector.run { _ in
            let before = store.memory[0].count("renew")
            blockade.watch(many) {
                blockade.isComplete && store.memory[0].count("renew") >= before + 3
            } then: { renewed in
                #expect(renewed)
                #expect(elector.state.isLeader)
            }
            await starve(blockade, many)
            elector.stop()
        }
    }

    @Test func steppingDownHappens() async throws {
        let store = MemoryStore(registers: 3)
        let overrun = Recorder(false)
        let elector = try Elector(
            store: store,
            configuration: .init(
                name: "test", id: "a", leaseTTL: .milliseconds(600),
                onOverrun: { _ in overrun.value = true }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let blockade = Blockade()
        let elsewhere = Recorder<Lease?>(nil)
        await #expect(throws: ElectionError.bodyOverran(term: 1)) {
            try await elector.run { term in
                elsewhere.value = term.lease
                for register in store.memory { register.hang() }
                blockade.watch(many) {
                    blockade.isComplete && overrun.value
                } then: { steppedDown in
                    #expect(steppedDown)
                    #expect(!elector.state.isLeader)
                    #expect(elsewhere.value?.isValid == false)
                }
                await starve(blockade, many)
                #expect(Task.isCancelled)
                elector.stop()
            }
        }
    }
}
