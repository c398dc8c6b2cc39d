import LeaderElection
import Testing

/// A kind of store that takes the one suite. To take part: conform, and add yourself to
/// ``StoresUnderTest/all``.
protocol StoreUnderTest: Sendable, CustomTestStringConvertible {
    /// As in `--store`: `redis`, `etcd`, `consul`, `mysql-lease`.
    var kind: String { get }
    /// What must be installed, if it is not: the suite then skips this store, loudly.
    var missing: String? { get }
    /// A lease that the server keeps to, as short as it can be: what the suite elects with.
    var lease: Duration { get }
    /// The server remembers locks and counters when its process is killed and started again.
    var survivesRestart: Bool { get }
    /// A new server of its own, which answers.
    func start() async throws -> any StoreServer
}

extension StoreUnderTest {
    var testDescription: String { kind }
}

/// One server (or group of servers) of a store, running for one test or for several.
protocol StoreServer: Sendable {
    /// The port that clients dial on 127.0.0.1, and that a ``FaultProxy`` relays to.
    var port: Int { get }

    /// A store as one replica has it, with clients of its own. With `port`, it dials there (a proxy)
    /// instead.
    func makeStore(name: String, port: Int?) async throws -> any LeaseStore

    /// SIGSTOP: connections stay open, nothing answers.
    func pause() async
    /// SIGCONT.
    func resume() async
    /// SIGKILL.
    func kill() async
    /// The process again, on the same port and data; returns when it answers.
    func restart() async throws

    /// An operator deletes the lock by hand, with the store's own tool, and nothing else.
    func deleteLock(_ name: String) async throws
    /// How many leases, sessions or the like the server keeps for all elections; nil where it knows none.
    func leases() async throws -> Int?

    func shutDown() async
}

/// Who takes the suite.
enum StoresUnderTest {
    static let all: [any StoreUnderTest] = [RedisUnderTest(), EtcdUnderTest(), ConsulUnderTest()] + mySQL

    /// Those whose server is installed here; each of the others is named on standard output.
    static let present: [any StoreUnderTest] = all.filter { store in
        guard let missing = store.missing else { return true }
        print("SKIPPED: conformance of \(store.kind): \(missing) is not installed (scripts/prerequisites)")
        return false
    }
}
