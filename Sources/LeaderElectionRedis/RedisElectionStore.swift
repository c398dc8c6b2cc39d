public import LeaderElection
public import Logging
import NIOCore
import NIOPosix
import RedisClient

/// An election over Redis with connections of its own, for a program that needs nothing but the
/// election.
///
/// ```swift
/// let store = try await RedisElectionStore.connect(
///     .init(redis: ["redis://10.0.0.1:6379"]), election: election, logger: logger)
/// try await Elector(store: store, configuration: election, logger: logger).run { term in … }
/// await store.shutDown()
/// ```
///
/// Three lock keys in a cluster, one on a single Redis or behind Sentinels, or one on each of several
/// independent servers. Source: "Distributed Locks with Redis" (the Redlock algorithm).
public final class RedisElectionStore: LeaseStore {
    private let votes: RedisLeaseStore
    /// What the elector sees: the votes, under the rules that the group signed, where there is a deployment
    /// to sign in.
    private let store: any LeaseStore
    private let watch: TopologyWatch
    private let directories: [NodeDirectory]
    private let lone: [NodeClient]
    private let listener: ReleaseListener?
    private let loops: MultiThreadedEventLoopGroup

    /// Finds the servers, once; to wait for them, call it again. Independent lock servers are first asked
    /// by the elector.
    ///
    /// - Parameters:
    ///   - configuration: where Redis is and how to get in.
    ///   - election: name, id and lease length, as the elector gets them. The name has no spaces, line
    ///     ends, `:` or braces.
    ///   - logger: where the store's lines go.
    /// - Throws: ``RegisterError`` of the code `denied` when Redis refuses, or `unreachable`, also for a
    ///   task that is cancelled meanwhile; ``ElectionError`` when something makes no sense. Nothing is left
    ///   open then.
    @concurrent
    public static func connect(
        _ configuration: RedisElectionConfiguration, election: ElectionConfiguration, logger: Logger
    ) async throws -> RedisElectionStore {
        let timing = try election.timing()
        let name = "lapse:\(election.name):\(election.id):lock"
        let deployment = try configuration.deployment(clientName: name)
        try check(configuration, election)
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let nodes = NodeDirectory(settings: deployment.settings, on: loops)
        let sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: loops)
        let watch = TopologyWatch(
            seeds: deployment.seeds, nodes: nodes, sentinels: sentinels, on: loops.any(), logger: logger)
        // The elector stops counting on an operation after its timeout; the connection may know a little
        // longer.
        let timeout = timing.operationTimeout * 2
        do {
            guard configuration.lockServers.isEmpty else {
                let lone = try configuration.lockServers.map { text in
                    let url = try RedisURL(text)
                    let settings = try deployment.settings.independent(url, of: deployment.seeds)
                    return NodeClient(url.address, settings: settings, on: loops.any())
                }
                let votes = RedisLeaseStore(name: election.name, servers: lone.map(SingleServer.init), timeout: timeout)
                return RedisElectionStore(votes, votes, watch, [nodes, sentinels], lone, nil, loops)
            }
            let topology = try await watch.discover()
            let client = KeyedClient(nodes: nodes, watch: watch, on: loops.any())
            let count = configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
            let votes = RedisLeaseStore(name: election.name, count: count, client: client, timeout: timeout)
            let listener = ReleaseListener(
                channel: ElectionKeys.channel(election.name), settings: deployment.settings, watch: watch,
                on: loops.any(), logger: logger, heard: { votes.wake(.released) })
            let purpose = LeasePurpose(kind: election.purpose)
            let keeper = RulesKeeper(
                places: ElectionKeys.rules(inCluster: topology.mode == .cluster, name: election.name)
                    .map { RulesKeeper.Place(keys: $0, runner: client) },
                signature: .init(
                    member: MemberID(id: election.id), terms: purpose.appended(to: election.rules(for: votes))),
                purpose: purpose, leaseTTL: election.leaseTTL, timeout: timeout, on: loops.any())
            return RedisElectionStore(
                votes, RuledStore(votes, keeper: keeper), watch, [nodes, sentinels], [], listener, loops)
        } catch {
            await nodes.shutDown()
            await sentinels.shutDown()
            try? await loops.shutdownGracefully()
            switch error {
            case let error as RedisURLError: throw ElectionError.configuration("lockServers", "\(error)")
            case let error as RedisError:
                throw error.isPermanent
                    ? RegisterError.denied(error.description) : RegisterError.unreachable(error.description)
            default: throw error
            }
        }
    }

    private static func check(
        _ configuration: RedisElectionConfiguration, _ election: ElectionConfiguration
    ) throws(ElectionError) {
        if let count = configuration.registers, count % 2 == 0 || count < 1 || count > 15 {
            throw .configuration("registers", "an odd number up to 15")
        }
        let servers = configuration.lockServers.count
        if servers > 0, servers % 2 == 0 {
            throw .configuration("lockServers", "an odd number of servers can form a majority")
        }
        if election.name.isEmpty || election.name.contains(where: { "{}: \n\r".contains($0) }) {
            throw .configuration("name", "no spaces, ':' or braces")
        }
    }

    private init(
        _ votes: RedisLeaseStore, _ store: any LeaseStore, _ watch: TopologyWatch, _ directories: [NodeDirectory],
        _ lone: [NodeClient], _ listener: ReleaseListener?, _ loops: MultiThreadedEventLoopGroup
    ) {
        self.votes = votes
        self.store = store
        self.watch = watch
        self.directories = directories
        self.lone = lone
        self.listener = listener
        self.loops = loops
    }

    /// The lock keys, or the servers.
    public var registers: [any LeaseRegister] { store.registers }

    /// Fencing tokens, leases by the servers' clocks, and, but for independent servers, wake-ups.
    public var capabilities: StoreCapabilities { votes.capabilities }

    /// The hash tags of the lock keys, and the addresses of independent servers.
    public var naming: String { votes.naming }

    /// On how many servers the lock keys sit now; nil while a slot's master is not known.
    public var failureDomains: Int? { votes.failureDomains }

    /// A release, as the leader announces it, and the agreement of rules that differed. The newest signal
    /// is kept.
    public func wakeUps() -> AsyncStream<WakeUp> { store.wakeUps() }

    /// Follows the topology, signs the rules, and listens for releases until its task is cancelled; returns
    /// at once with independent servers, which need none of it.
    public func run() async {
        guard let listener else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.store.run() }
            group.addTask { await self.watch.run() }
            group.addTask { await listener.run() }
        }
    }

    /// Closes every connection, also in a task that is cancelled. Called once, after the elector's `run`
    /// returned.
    public func shutDown() async {
        for directory in directories { await directory.shutDown() }
        for client in lone { await client.shutDown() }
        // Nothing is left to fail on a group whose channels are closed.
        try? await loops.shutdownGracefully()
    }
}
