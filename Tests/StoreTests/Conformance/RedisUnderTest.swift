import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RedisClient
import ThrowawayRedis

/// One Redis: the first subject.
struct RedisUnderTest: StoreUnderTest {
    let kind = "redis"
    let missing: String? = nil
    let lease = Duration.milliseconds(1500)
    let survivesRestart = false

    func start() async throws -> any StoreServer {
        let server = try await ThrowawayServer.start()
        return RedisStoreServer(server: server)
    }
}

private struct RedisStoreServer: StoreServer {
    let server: ThrowawayServer

    var port: Int { server.port }

    func makeStore(name: String, port: Int?) async throws -> any LeaseStore {
        let client = NodeClient(
            NodeAddress(host: "127.0.0.1", port: port ?? server.port), settings: ConnectionSettings(clientName: "test"),
            on: MultiThreadedEventLoopGroup.singleton.next())
        return OneServer(
            store: RedisLeaseStore(name: name, servers: [SingleServer(client)], timeout: .seconds(2)), client: client)
    }

    func pause() async { server.freeze() }
    func resume() async { server.resume() }
    func kill() async { await server.kill() }
    func restart() async throws { try await server.start() }

    func deleteLock(_ name: String) async throws {
        try await server.cli("DEL", ElectionKeys.registers(1, name: name)[0].lock)
    }

    func leases() async throws -> Int? { nil }

    func shutDown() async { await server.shutDown() }
}

/// A Redis store that owns its client.
private struct OneServer: LeaseStore {
    let store: RedisLeaseStore
    let client: NodeClient

    var registers: [any LeaseRegister] { store.registers }
    var capabilities: StoreCapabilities { store.capabilities }
    /// Without the address: behind a proxy it is another one of the same server.
    var naming: String { "redis" }
    func wakeUps() -> AsyncStream<WakeUp> { store.wakeUps() }
    func shutDown() async { await client.shutDown() }
}
