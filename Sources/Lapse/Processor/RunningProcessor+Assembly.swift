import LeaderElection
import Logging
import NIOPosix
import RedisClient

/// How the parts of a processor are put together, once the topology is known.
extension RunningProcessor {
    func assemble() throws -> Parts {
        guard let topology = watch.current else { throw LapseError.unreachable("the servers are not known") }
        let timing = try ElectionConfiguration(name: configuration.name, leaseTTL: configuration.leaseTTL).timing()
        let store = try leaseStore(topology, timing)
        let keeper = ProgressKeeper(
            places: places(topology), id: configuration.id, guardedBy: configuration.store?.naming)
        let elector = try Elector(
            store: store, configuration: electionConfiguration, logger: logger, eventLoop: threads.election.any())
        let rules = try CompanionRules(configuration.companions)
        if topology.mode == .cluster { try rules.checkForCluster() }
        let client = KeyedClient(nodes: commands, watch: watch, on: threads.control.any())
        let holes = AsyncStream.makeStream(of: Repairer.Hole.self)
        let dispatcher = Dispatcher(
            logs: logs,
            filter: KeyFilter(
                match: configuration.match, ignore: configuration.ignore,
                databases: Self.databases(configuration, deployment), companions: rules.isEmpty ? nil : rules),
            lanes: configuration.concurrency, bell: Doorbell(on: threads.control.any()),
            listeners: .init(
                hole: { holes.continuation.yield($0) },
                ignored: { [account, metrics] node, count in
                    account.ignored("\(node)", count)
                    metrics.ignored(node, count)
                },
                doubtful: { [watch] in watch.surprise(doubting: $0) }))
        let answers = ElectionKeys(tag: LockTags.tags(1)[0], name: configuration.name)
        let repairer = Repairer(
            holes: holes.stream, id: configuration.id, logs: logs, client: client,
            channel: ElectionKeys.channel(configuration.name), key: { answers.repair($0) },
            peers: { keeper.peers }, look: { [watch] in watch.looks },
            listeners: .init(
                leads: { dispatcher.waits(for: $0) ? elector.state.isLeader : nil },
                settled: { dispatcher.settle($0, $1) }, gap: { [weak self] in self?.heard($0) }),
            on: threads.control.any(), logger: logger)
        let peer = RepairPeer(
            id: configuration.id, logs: logs, client: client, key: { answers.repair($0) },
            ownership: { dispatcher.ownership(of: $0) }, on: threads.control.any(), logger: logger)
        let feeds = FeedSet(surroundings(store, dispatcher, keeper, peer))
        watch.tell { [weak feeds] poll in
            dispatcher.note(poll)
            feeds?.looked()
        }
        let (values, reconciler) = companionParts(rules, topology, dispatcher)
        let leadership = Leadership(
            dispatcher: dispatcher, keeper: keeper, logs: logs, lanes: configuration.concurrency,
            drain: configuration.drain, executor: threads.executor, loop: threads.control.any(),
            lane: Lane.Surroundings(
                dispatcher: dispatcher, handler: handler, timeout: configuration.handlerTimeout,
                retries: RetryPolicy(retries: configuration.retries),
                deadLetters: DeadLetters(
                    stream: configuration.deadLetter.map { .init(key: $0, client: client) }, logger: logger),
                metrics: metrics, logger: logger, fencedOut: { elector.resign() }, companions: values,
                clock: { [threads] in Doorbell(on: threads.control.any()) }),
            reconciler: reconciler, resign: { elector.resign() },
            // A hand-over must not wait long for a node that does not answer.
            checkNumbers: { [feeds] in await feeds.check(within: .milliseconds(50)) },
            isAbsent: { [weak self] in self?.isAbsent($0) ?? false }, logger: logger)
        return Parts(
            elector: elector, feeds: feeds, dispatcher: dispatcher, keeper: keeper, leadership: leadership,
            repairer: repairer, peer: peer, reconciler: reconciler)
    }

    private var electionConfiguration: ElectionConfiguration {
        ElectionConfiguration(
            name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL,
            drainLimit: configuration.drain + .seconds(1), onOverrun: configuration.onOverrun)
    }

    private func registerCount(_ topology: Topology) -> Int {
        configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
    }

    /// Where the election is held: in a store of its own, on independent servers, or beside the expirations.
    private func leaseStore(_ topology: Topology, _ timing: LeaseTiming) throws(LapseError) -> any LeaseStore {
        if let store = configuration.store { return store }
        // The elector stops counting on an operation after its timeout; the connection may know a little longer.
        let timeout = timing.operationTimeout * 2
        guard configuration.lockServers.isEmpty else {
            let runners = try configuration.lockServers.map { text throws(LapseError) in
                try lockServer(text)
            }
            return RedisLeaseStore(name: configuration.name, servers: runners, timeout: timeout)
        }
        return RedisLeaseStore(
            name: configuration.name, count: registerCount(topology),
            client: KeyedClient(nodes: locks, watch: watch, on: threads.election.any()), timeout: timeout)
    }

    private func lockServer(_ text: String) throws(LapseError) -> any ScriptRunner {
        do throws(RedisURLError) {
            let url = try RedisURL(text)
            let settings = try deployment.settings(for: "lock", configuration).independent(url)
            return SingleServer(NodeClient(url.address, settings: settings, on: threads.election.any()))
        } catch {
            throw .configuration("--lock-servers: \(error)")
        }
    }

    /// Progress lives beside the lock keys of the deployment, whoever votes on the lease.
    private func places(_ topology: Topology) -> [ProgressKeeper.Place] {
        let client = KeyedClient(nodes: commands, watch: watch, on: threads.control.any())
        return ElectionKeys.registers(registerCount(topology), name: configuration.name)
            .map { ProgressKeeper.Place(keys: $0, runner: client) }
    }

    private func surroundings(
        _ store: any LeaseStore, _ dispatcher: Dispatcher, _ keeper: ProgressKeeper, _ peer: RepairPeer
    ) -> FeedSurroundings {
        // Only votes in Redis are given back where the feeds can hear it.
        let votes = store as? RedisLeaseStore
        return FeedSurroundings(
            name: configuration.name, id: configuration.id, settings: deployment.settings(for: "feed", configuration),
            loops: threads.feeds, control: threads.control.any(), commands: commands, watch: watch, logs: logs,
            listeners: .init(
                appended: { dispatcher.appended() }, leaseFreed: { votes?.wake($0) },
                asked: { peer.hear($0) },
                look: { [watch] in watch.looks }),
            notifications: Notifications.Policy(rawValue: configuration.notifications.rawValue) ?? .verify,
            base: { keeper.latest[$0]?.base }, settled: { dispatcher.note($0) }, metrics: metrics, logger: logger)
    }
}
