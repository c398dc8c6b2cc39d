import LeaderElection
import ThrowawayStores

@testable import LeaderElectionConsul

/// Consul with sessions that may be as short as a second.
struct ConsulUnderTest: StoreUnderTest {
    let kind = "consul"
    var missing: String? { ThrowawayConsul.isInstalled ? nil : "consul" }
    let lease = Duration.milliseconds(1500)
    let survivesRestart = true

    func start() async throws -> any StoreServer {
        ConsulStoreServer(consul: try await ThrowawayConsul.start())
    }
}

struct ConsulStoreServer: StoreServer {
    let consul: ThrowawayConsul

    var port: Int { consul.port }

    func makeStore(name: String, port: Int?) async throws -> any LeaseStore {
        try ConsulLeaseStore(
            configuration: .init(agents: [.init(port: port ?? consul.port)], shortestSession: .milliseconds(1500)),
            name: name, logger: quiet)
    }

    func pause() async { consul.freeze() }
    func resume() async { consul.resume() }
    func kill() async { await consul.kill() }
    func restart() async throws { try await consul.start() }

    func deleteLock(_ name: String) async throws {
        try await consul.command("kv delete", [ConsulKeys(prefix: "lapse", name: name).lock])
    }

    func leases() async throws -> Int? {
        try await ConsulOperator(consul).sessions().count
    }

    func shutDown() async { await consul.shutDown() }
}
