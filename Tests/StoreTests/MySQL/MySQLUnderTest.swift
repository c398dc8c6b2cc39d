#if MySQL
import LeaderElection
import LeaderElectionMySQL
import ThrowawayRedis
import ThrowawayStores

/// A table of MariaDB, in either scheme.
struct MySQLUnderTest: StoreUnderTest {
    let scheme: MySQLConfiguration.Scheme

    var kind: String { "mysql-\(scheme.rawValue)" }
    var missing: String? { ThrowawayMariaDB.missing }
    let lease = Duration.milliseconds(1500)
    let survivesRestart = true

    func start() async throws -> any StoreServer {
        MySQLStoreServer(server: try await ThrowawayMariaDB.start(), scheme: scheme)
    }
}

private struct MySQLStoreServer: StoreServer {
    let server: ThrowawayMariaDB
    let scheme: MySQLConfiguration.Scheme

    var port: Int { server.port }

    func makeStore(name: String, port: Int?) async throws -> any LeaseStore {
        MySQLLeaseStore(
            configuration: server.configuration(scheme, port: port), name: name, logger: quiet)
    }

    func pause() async { server.daemon.freeze() }
    func resume() async { server.daemon.resume() }
    func kill() async { await server.daemon.kill() }
    func restart() async throws { try await server.start() }

    /// The lock, not the row: the row also holds the counters.
    func deleteLock(_ name: String) async throws {
        let key = name.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
        }
        switch scheme {
        case .heartbeat:
            try await server.sql("UPDATE host_master SET master = '' WHERE election = X'\(key.joined())'")
        case .lease: try await server.sql("UPDATE lease SET holder = '' WHERE action = X'\(key.joined())'")
        }
    }

    func leases() async throws -> Int? { nil }

    func shutDown() async { await server.shutDown() }
}

extension ThrowawayMariaDB {
    /// As the user `lapse` sees it.
    func configuration(
        _ scheme: MySQLConfiguration.Scheme, port: Int? = nil, table: String? = nil
    ) -> MySQLConfiguration {
        MySQLConfiguration(
            host: "127.0.0.1", port: port ?? self.port, user: ThrowawayMariaDB.user,
            password: ThrowawayMariaDB.password, database: ThrowawayMariaDB.database, scheme: scheme, table: table)
    }
}

extension StoresUnderTest {
    static let mySQL: [any StoreUnderTest] = MySQLConfiguration.Scheme.allCases.map { MySQLUnderTest(scheme: $0) }
}
#else
extension StoresUnderTest {
    static let mySQL: [any StoreUnderTest] = []
}
#endif
