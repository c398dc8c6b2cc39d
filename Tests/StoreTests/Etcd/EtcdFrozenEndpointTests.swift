import LeaderElection
import LeaderElectionEtcd
import Testing
import ThrowawayStores

@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayEtcd.isInstalled, "etcd is not installed"))
struct EtcdFrozenEndpointTests {
    /// The elector cancels its requests before their own time is over.
    @Test func theNextEndpointIsAskedAfterCancelledRequests() async throws {
        try await StoreStage.with(EtcdUnderTest(), shared: true) { stage in
            let name = StoreStage.name()
            let frozen = try await stage.proxy()
            try await frozen.set(.blackHole)
            let ports = [frozen.port, stage.server.port]
            let store = EtcdLeaseStore(
                configuration: EtcdConfiguration(
                    endpoints: ports.map { .init(host: "127.0.0.1", port: $0) }, requestTimeout: .seconds(300)),
                name: name, logger: quiet)
            let rivals = Rivals()
            let outcome: Result<Void, any Error>
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await rivals.join("a", store, name: name, lease: .seconds(4)) }
                    try await eventually("it leads by the other endpoint") { rivals.leads("a") }
                    group.cancelAll()
                }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await store.shutDown()
            try outcome.get()
        }
    }
}
