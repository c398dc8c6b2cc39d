import LeaderElection
import LeaderElectionEtcd
import ThrowawayStores

/// One etcd member.
struct EtcdUnderTest: StoreUnderTest {
    let kind = "etcd"
    let lease = Duration.seconds(2)
    let survivesRestart = true

    var missing: String? { ThrowawayEtcd.isInstalled ? nil : "etcd-server and etcd-client" }

    func start() async throws -> any StoreServer { EtcdStoreServer(server: try await ThrowawayEtcd.start()) }
}

struct EtcdStoreServer: StoreServer {
    let server: ThrowawayEtcd

    var port: Int { server.port }

    func makeStore(name: String, port: Int?) async throws -> any LeaseStore {
        let configuration = EtcdConfiguration(endpoints: [.init(host: "127.0.0.1", port: port ?? server.port)])
        return EtcdLeaseStore(configuration: configuration, name: name, logger: quiet)
    }

    func pause() async { server.freeze() }
    func resume() async { server.resume() }
    func kill() async { await server.kill() }
    func restart() async throws { try await server.start() }

    func deleteLock(_ name: String) async throws { try await server.control("del", "/lapse/\(name)/lock") }
    func leases() async throws -> Int? { try await server.leases() }
    func shutDown() async { await server.shutDown() }
}
