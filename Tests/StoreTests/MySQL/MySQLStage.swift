#if MySQL
import LeaderElection
import LeaderElectionMySQL
import Logging
import Synchronization
import ThrowawayStores

/// One replica's store on a MariaDB, and what tests ask of it.
struct MySQLReplica: Sendable {
    let store: MySQLLeaseStore
    let name: String
    var register: any LeaseRegister { store.registers[0] }

    init(_ configuration: MySQLConfiguration, name: String = "election", logger: Logger = quiet) {
        self.name = name
        store = MySQLLeaseStore(configuration: configuration, name: name, logger: logger)
    }

    func claim(_ id: String, ttl: Duration = .seconds(30)) -> Claim {
        let random = UInt64.random(in: 1 << 60 ... .max)
        return Claim(
            name: name, id: id, value: "\(id):\(String(random, radix: 16))\(String(random, radix: 16))", ttl: ttl,
            rules: "rules")
    }

    /// Acquires, and fails if it is not granted at once.
    func take(_ claim: Claim) async throws -> Vote {
        let reply = try await register.acquire(claim)
        guard case .granted(let vote) = reply else { throw GaveUp(description: "not granted: \(reply)") }
        return vote
    }

    func renew(_ claim: Claim, _ vote: Vote) async throws -> RenewReply {
        try await register.renew(claim, token: FencingToken(rawValue: vote.counter), term: 1, heal: false)
    }

    func error(_ work: (any LeaseRegister) async throws -> Void) async -> RegisterError? {
        do {
            try await work(register)
            return nil
        } catch {
            return error as? RegisterError
        }
    }
}

/// A server for one test.
func withMariaDB<Result: Sendable>(
    options: [String] = [], _ work: (ThrowawayMariaDB) async throws -> Result
) async throws -> Result {
    let server = try await ThrowawayMariaDB.start(options: options)
    let outcome: Swift.Result<Result, any Error>
    do { outcome = .success(try await work(server)) } catch { outcome = .failure(error) }
    await server.shutDown()
    return try outcome.get()
}

extension ThrowawayMariaDB {
    /// One server for all tests that give it tables of their own and leave the rest alone.
    static var shared: ThrowawayMariaDB {
        get async throws { try await SharedMariaDB.one.server() }
    }

    /// The one number or text that a query answers.
    func value(_ query: String) async throws -> String {
        try await sql(query).split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    }

    /// Runs work with a replica, and closes it.
    func with<Result: Sendable>(
        _ configuration: MySQLConfiguration, name: String = "election", logger: Logger = quiet,
        _ work: (MySQLReplica) async throws -> Result
    ) async throws -> Result {
        let replica = MySQLReplica(configuration, name: name, logger: logger)
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await work(replica)) } catch { outcome = .failure(error) }
        await replica.store.shutDown()
        return try outcome.get()
    }

    static func freshTable() -> String { "t\(UInt32.random(in: 0 ... .max))" }
}

private actor SharedMariaDB {
    static let one = SharedMariaDB()
    private var running: Task<ThrowawayMariaDB, any Error>?

    func server() async throws -> ThrowawayMariaDB {
        let start = running ?? Task { try await ThrowawayMariaDB.start() }
        running = start
        return try await start.value
    }
}

extension MySQLConfiguration.Scheme {
    /// The column with the claim.
    var holder: String { self == .heartbeat ? "master" : "holder" }
    /// When the lease ends, in SQL.
    var end: String { self == .heartbeat ? "update_time + INTERVAL ttl_us MICROSECOND" : "expired_at" }
    /// The column with the election's name.
    var key: String { self == .heartbeat ? "election" : "action" }
}
#endif
