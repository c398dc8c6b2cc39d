import LeaderElection
import Testing

/// Stores that are closed in the moment in which their last answer comes: a connection is given back
/// and closed at once. The process once ended in this, one time in some thousand.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct QuickGoodbyeConformanceTests {
    @Test(arguments: StoresUnderTest.present)
    func aStoreIsClosedRightAfterItsLastAnswer(_ kind: any StoreUnderTest) async throws {
        try await StoreStage.with(kind, shared: true) { stage in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let name = StoreStage.name()
                        for _ in 0..<50 {
                            let store = try await stage.server.makeStore(name: name, port: nil)
                            try await leaveAtOnce(store, stage.claim(name, "a"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private func leaveAtOnce(_ store: any LeaseStore, _ claim: Claim) async throws {
        let outcome: Result<Void, any Error>
        do {
            _ = try await store.registers[0].acquire(claim)
            try await store.registers[0].release(claim, wake: false)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await store.shutDown()
        try outcome.get()
    }
}
