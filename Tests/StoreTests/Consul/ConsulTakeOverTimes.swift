import FoundationEssentials
import LeaderElection
import LeaderElectionConsul
import Testing
import ThrowawayStores

/// Measures how long a take-over takes, with Consul's own shortest session and Lapse's own lease. It
/// asserts nothing about it: run it with `LAPSE_MEASURE=1 swift test --filter ConsulTakeOverTimes` and
/// read what it prints.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ConsulTakeOverTimes {
    private static let isWanted =
        ThrowawayConsul.isInstalled && ProcessInfo.processInfo.environment["LAPSE_MEASURE"] != nil

    /// Five elections at once; the numbers in milliseconds, smallest first.
    private func measure(
        _ what: String, _ configuration: ConsulConfiguration, shortest: String, lease: Duration,
        endOfA: @escaping @Sendable (Rivals.Member, FaultProxy) async throws -> Void
    ) async throws {
        var options = ThrowawayConsul.Options()
        options.shortestSession = shortest
        let consul = try await ThrowawayConsul.start(options)
        let server = consul.port
        let times = try await withThrowingTaskGroup(of: Duration.self) { group in
            for run in 0..<5 {
                group.addTask {
                    let proxy = try await FaultProxy.start(to: server)
                    let time = try await takeOver(
                        "run-\(run)", configuration, lease, server: server, proxy: proxy, endOfA: endOfA)
                    await proxy.shutDown()
                    return time
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        await consul.shutDown()
        print("take-over through Consul, \(what), ms:", times.sorted().map { Int($0 / .milliseconds(1)) })
    }

    private func takeOver(
        _ name: String, _ configuration: ConsulConfiguration, _ lease: Duration, server: Int, proxy: FaultProxy,
        endOfA: @Sendable (Rivals.Member, FaultProxy) async throws -> Void
    ) async throws -> Duration {
        func store(_ port: Int) throws -> ConsulLeaseStore {
            var configuration = configuration
            configuration.agents = [.init(port: port)]
            return try ConsulLeaseStore(configuration: configuration, name: name, logger: quiet)
        }
        let rivals = Rivals()
        let stores = (a: try store(proxy.port), b: try store(server))
        let a = try Rivals.Member("a", stores.a, name: name, lease: lease)
        let b = try Rivals.Member("b", stores.b, name: name, lease: lease)
        let time = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await rivals.join(a) }
            try await eventually("a leads") { rivals.leads("a") }
            group.addTask { try await rivals.join(b) }
            try await eventually("b follows") { b.elector.state.leader == "a" }
            let start = ContinuousClock.now
            try await endOfA(a, proxy)
            while !rivals.leads("b") { try await Task.sleep(for: .milliseconds(1)) }
            let time = ContinuousClock.now - start
            try await proxy.set(.pass)
            group.cancelAll()
            return time
        }
        await stores.a.shutDown()
        await stores.b.shutDown()
        return time
    }

    @Test(.enabled(if: isWanted)) func afterARelease() async throws {
        try await measure("graceful release", .init(), shortest: "10s", lease: .seconds(8)) { a, _ in a.elector.stop() }
    }

    /// As after a SIGKILL: from one moment on nothing of the leader reaches Consul.
    @Test(.enabled(if: isWanted)) func afterACrash() async throws {
        try await measure("crash, lease 8 s, sessions of 10 s", .init(), shortest: "10s", lease: .seconds(8)) {
            try await $1.set(.blackHole)
        }
        try await measure(
            "crash, lease 3 s, sessions of 3 s", .init(shortestSession: .seconds(3)), shortest: "1s",
            lease: .seconds(3)
        ) { try await $1.set(.blackHole) }
    }
}
