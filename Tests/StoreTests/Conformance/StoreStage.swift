import LeaderElection
import Logging
import Synchronization
import Testing

/// What a test of the suite works with: a server, the stores made on it, and their ends.
struct StoreStage: Sendable {
    let kind: any StoreUnderTest
    let server: any StoreServer
    private let open = Ends()

    private final class Ends: Sendable {
        let all = Mutex<[@Sendable () async -> Void]>([])
    }

    /// Runs `work` on a server of its own, or, unless it is harmed (`shared`), on one that other tests use
    /// too.
    static func with<Result: Sendable>(
        _ kind: any StoreUnderTest, shared: Bool = false, _ work: (StoreStage) async throws -> Result
    ) async throws -> Result {
        let server = shared ? try await SharedServers.all.server(of: kind) : try await kind.start()
        let stage = StoreStage(kind: kind, server: server)
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await work(stage)) } catch { outcome = .failure(error) }
        for end in stage.open.all.withLock({ $0.reversed() }) { await end() }
        if !shared { await server.shutDown() }
        return try outcome.get()
    }

    /// A name that no other test uses.
    static func name(_ prefix: String = "test") -> String { "\(prefix)-\(UInt32.random(in: 0 ... .max))" }

    /// A replica's store, closed at the end of the test.
    func store(_ name: String, through proxy: FaultProxy? = nil) async throws -> any LeaseStore {
        let store = try await server.makeStore(name: name, port: proxy?.port)
        open.all.withLock { $0.append { await store.shutDown() } }
        return store
    }

    /// The only register of a replica's store.
    func register(_ name: String, through proxy: FaultProxy? = nil) async throws -> any LeaseRegister {
        let registers = try await store(name, through: proxy).registers
        try #require(registers.count == 1)
        return registers[0]
    }

    func proxy() async throws -> FaultProxy {
        let proxy = try await FaultProxy.start(to: server.port)
        open.all.withLock { $0.append { await proxy.shutDown() } }
        return proxy
    }

    func claim(_ name: String, _ id: String, ttl: Duration? = nil, rules: String = "rules") -> Claim {
        let random = (0..<2).map { _ in UInt64.random(in: .min ... .max) }
        let digits = random.map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return Claim(name: name, id: id, value: "\(id):\(digits.joined())", ttl: ttl ?? kind.lease, rules: rules)
    }

    /// Acquires, however long a young server, a lock delay or another's lease makes it wait; repeats lost
    /// answers.
    func take(_ register: any LeaseRegister, _ claim: Claim) async throws -> Vote {
        var said = "nothing"
        for _ in 0..<3000 {
            do throws(RegisterError) {
                let reply = try await register.acquire(claim)
                if case .granted(let vote) = reply { return vote }
                said = "\(reply)"
            } catch {
                // Waiting helps against no other error.
                guard [.unreachable, .timedOut, .refusesWrites].contains(error.code) else { throw error }
                said = "\(error)"
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw GaveUp(description: "\(claim.id) was never granted: \(said)")
    }
}

extension StoreStage {
    /// Runs `work` while `claim` holds the register and is renewed, then releases it.
    func holding(
        _ register: any LeaseRegister, _ claim: Claim, _ work: @escaping @Sendable () async throws -> Void
    ) async throws {
        let token = FencingToken(rawValue: try await take(register, claim).counter)
        let pause = claim.ttl / 4
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    let reply = try? await register.renew(claim, token: token, term: 1, heal: false)
                    if case .lost = reply { throw GaveUp(description: "the holder lost its lease") }
                    try? await Task.sleep(for: pause)
                }
            }
            group.addTask { try await work() }
            try await group.next()
            group.cancelAll()
        }
        try await register.release(claim, wake: false)
    }
}

/// A wait of the suite came to nothing.
struct GaveUp: Error, CustomStringConvertible {
    let description: String
}

/// Polls until `condition` holds; a generous limit, no timing assertion.
func eventually(
    _ what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while !(try await condition()) {
        guard ContinuousClock.now < deadline else { throw GaveUp(description: "never: \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// One server of each kind for all tests that do it no harm; it dies with the process.
private actor SharedServers {
    static let all = SharedServers()
    private var running: [String: Task<any StoreServer, any Error>] = [:]

    func server(of kind: any StoreUnderTest) async throws -> any StoreServer {
        let start = running[kind.kind] ?? Task { try await kind.start() }
        running[kind.kind] = start
        return try await start.value
    }
}
