import LeaderElection
import LeaderElectionRedis
import Logging
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Timing

/// How the parts of a processor are put together, once the topology is known.
extension RunningProcessor {
    func assemble() throws -> Parts {
        guard let topology = watch.current else { throw LapseError.unreachable("the servers are not known") }
        let timing = try ElectionConfiguration(name: configuration.name, leaseTTL: configuration.leaseTTL).timing()
        let votes = try leaseStore(topology, timing)
        let store = RuledStore(votes, keeper: rulesKeeper(votes, topology, timing))
        let keeper = ProgressKeeper(
            places: places(topology), id: "\(member)", guardedBy: configuration.store?.naming)
        let elector = try Elector(
            store: store, configuration: electionConfiguration, logger: logger, eventLoop: threads.election.any())
        let rules = try CompanionRules(configuration.companions)
        if topology.mode == .cluster { try rules.checkForCluster() }
        let client = KeyedClient(nodes: commands, watch: watch, on: threads.control.any())
        let stream = streamWriter(keeper)
        let handling = handling(stream)
        let holes = AsyncStream.makeStream(of: Repairer.Hole.self)
        let dispatcher = Dispatcher(
            logs: logs,
            filter: KeyFilter(
                match: configuration.match, ignore: configuration.ignore,
                databases: Self.databases(configuration, deployment), companions: rules.isEmpty ? nil : rules,
                stream: configuration.stream?.keys),
            lanes: configuration.concurrency, order: handling.order, bell: Doorbell(on: threads.control.any()),
            listeners: .init(
                hole: { holes.continuation.yield($0) },
                ignored: { [account, metrics] node, count in
                    account.ignored("\(node)", count)
                    metrics.ignored(node, count)
                },
                unannounced: { [weak self, metrics, logger] node, count in
                    metrics.unannounced(node, count)
                    // Whether its keys were announced or not: those with companions are found by them.
                    self?.parts.withLock { $0 }?.reconciler?.want(.gap)
                    logger.notice(
                        "counted and not announced", metadata: ["node": "\(node)", "count": .stringConvertible(count)])
                },
                doubtful: { [watch] in watch.refreshSoon(doubting: $0) }, surplus: { [weak self] in self?.gaveUp($0) }),
            bounds: .init(for: configuration.stream))
        let locksAreHere = configuration.store == nil && configuration.lockServers.isEmpty
        let ownLocks = OwnLocks(locksAreHere ? votes as? RedisLeaseStore : nil, client: client, logs: logs)
        let places = RepairPlaces(name: configuration.name, isSpread: topology.mode == .cluster)
        let repairer = Repairer(
            holes: holes.stream, id: "\(member)", logs: logs, client: client,
            channel: ElectionKeys.channel(configuration.name), places: places,
            peers: { keeper.peers }, look: { [watch] in watch.looks },
            listeners: .init(
                leads: { hole in dispatcher.inspect { $0.waits(for: hole) } ? elector.state.isLeader : nil },
                answered: { await ownLocks.look(at: $0) },
                besides: { hole, end in
                    ownLocks.besides(hole, end, after: dispatcher.inspect { $0.throughAtBegin(hole.runID) })
                },
                settled: { [watch] hole, end in
                    let last = dispatcher.inspect { $0.throughAtBegin(hole.runID) }
                    ownLocks.fill(hole, end, after: last, look: watch.looks, now: WallClock.milliseconds())
                    return dispatcher.update { $0.settle(hole, end) }
                }, gap: { [weak self] gap in if !ownLocks.explains(gap) { self?.heard(gap) } }),
            on: threads.control.any(), logger: logger)
        let peer = RepairPeer(
            id: "\(member)", logs: logs, client: client, places: places, members: { keeper.peers },
            ownership: { node in dispatcher.inspect { $0.ownership(of: node) } }, on: threads.control.any(),
            logger: logger
        )
        let tracePeer = TracePeer(
            client: client, places: places, on: threads.control.any(), logger: logger
        ) { [weak self, id = configuration.id] question in
            self?.trace(question, dispatcher, keeper) ?? .nothing(id)
        }
        let completion = LogCompletion(
            id: "\(member)",
            .init(logs: logs, progress: { keeper.latest }, members: { keeper.peers }), client: client,
            channel: ElectionKeys.channel(configuration.name), places: places,
            look: { [watch] in watch.looks }, on: threads.control.any(), logger: logger)
        let listener = ProgressListener(
            id: configuration.id, name: configuration.name, lease: configuration.leaseTTL, keeper: keeper,
            registers: store.registers, on: threads.control.any(), logger: logger,
            ownToken: { elector.state.token.rawValue },
            publish: { [configuration, logger] message in
                await Self.publish([message], configuration, client, logger)
            })
        let numbers = NumberExchange(
            id: "\(member)", channel: ElectionKeys.channel(configuration.name), keeper: keeper, client: client,
            on: threads.control.any(), logger: logger
        ) { [weak self] runID in
            await self?.parts.withLock { $0 }?.feeds.check(runID, within: .milliseconds(300))
        }
        let canaries = canaries()
        let punctuality = punctuality(dispatcher.filter, canaries)
        let feeds = FeedSet(
            feedDependencies(votes, dispatcher, numbers, peer, listener, ownLocks, punctuality, canaries))
        watch.onEachLook { [weak self, weak feeds, weak punctuality, logs] poll in
            // At once: by the new view an address may be another node's.
            dispatcher.update { machine in
                logs.follow(poll.topology)
                machine.note(poll)
            }
            self?.follow(poll.topology)
            feeds?.looked()
            punctuality?.looked(poll)
        }
        let (values, reconciler) = companionParts(rules, topology, dispatcher)
        let leadership = Leadership(
            dispatcher: dispatcher, keeper: keeper, logs: logs, lanes: configuration.concurrency,
            drain: configuration.drain, executor: threads.executor, loop: threads.control.any(),
            lane: Lane.Dependencies(
                dispatcher: dispatcher, handler: handling, timeout: laneTimeout,
                retries: RetryPolicy(
                    retries: configuration.retries, first: configuration.retryDelay,
                    cap: configuration.longestRetryDelay),
                deadLetters: DeadLetters(
                    stream: configuration.deadLetter.map { .init(key: $0, client: client) }, logger: logger,
                    bell: Doorbell(on: threads.control.any()), counting: Doorbell(on: threads.control.any()),
                    keys: configuration.logKeys),
                metrics: metrics, logger: logger, fencedOut: { elector.resign() }, companions: values,
                clock: { [threads] in Doorbell(on: threads.control.any()) }, keys: configuration.logKeys),
            reconciler: reconciler, punctuality: punctuality, canaries: canaries, stream: stream,
            ownLocks: ownLocks, resign: { elector.resign() },
            isWhole: { completion.isWhole },
            steer: { [weak self] in
                guard let self, let parts = self.parts.withLock({ $0 }) else { return }
                await self.steer(parts)
            },
            // A hand-over must not wait long for a node that does not answer.
            checkNumbers: { [feeds] in await feeds.check(within: .milliseconds(50)) },
            isAbsent: { [weak self] in self?.isAbsent($0) ?? false }, ledger: metrics.ledger, id: configuration.id,
            logger: logger,
            // A renewal must still fit into two leases.
            readingPatience: configuration.leaseTTL * 1.75,
            share: { [configuration, logger] progress, token in
                await Self.share(progress, token, configuration, client, logger)
            })
        return Parts(
            elector: elector, feeds: feeds, dispatcher: dispatcher, keeper: keeper, leadership: leadership,
            repairer: repairer, peer: peer, completion: completion, numbers: numbers, listener: listener,
            reconciler: reconciler, punctuality: punctuality, canaries: canaries, stream: stream, tracePeer: tracePeer)
    }

    /// Each call of a stream has an end of its own, after which what it was for waits: cut short before,
    /// that would count as an attempt.
    private var laneTimeout: Duration {
        configuration.stream == nil ? configuration.handlerTimeout : max(configuration.handlerTimeout, .seconds(3600))
    }

    private func streamWriter(_ keeper: ProgressKeeper) -> StreamWriter? {
        configuration.stream.map { destination in
            StreamWriter(
                destination, client: KeyedClient(nodes: streams, watch: watch, on: threads.control.any()),
                name: configuration.name, store: keeper.store, epoch: { keeper.epoch }, metrics: metrics,
                logger: logger,
                on: threads.control.any())
        }
    }

    /// The value of each key is read before it is handled: with companions they go one by one.
    private func handling(_ stream: StreamWriter?) -> Handling {
        let plain = stream.map { stream in .batches { try await stream($0, $1) } } ?? handler
        let handling = configuration.companions.isEmpty ? plain : .one(plain.ofOne)
        return AttemptSpans.ifTraced(configuration.logKeys)?.around(handling) ?? handling
    }

    /// The leader's progress over the control channel, while the registers refuse to take it.
    private static func share(
        _ progress: [Progress], _ token: FencingToken, _ configuration: ProcessorConfiguration,
        _ client: KeyedClient, _ logger: Logger
    ) async {
        let turn = Int(progress.first?.write ?? 0)
        let messages = SharedProgress.messages(
            leader: configuration.id, token: token.rawValue, progress, turn: turn)
        _ = await publish(messages.map { .progress($0.text) }, configuration, client, logger)
    }

    private static func publish(
        _ messages: [GroupMessage], _ configuration: ProcessorConfiguration, _ client: KeyedClient, _ logger: Logger
    ) async -> Bool {
        let channel = ElectionKeys.channel(configuration.name)
        for message in messages {
            do throws(RedisError) {
                _ = try await client.send(RESPCommand("PUBLISH", channel, message.text), key: channel)
            } catch {
                logger.debug("progress not told to peers", metadata: ["error": "\(error)"])
                return false
            }
        }
        return true
    }

    /// Another message of the group than a mark, a release or a question about a hole.
    private func hear(_ message: GroupMessage, _ numbers: NumberExchange, _ listener: ProgressListener) {
        switch message {
        case .progress(let text): listener.hear(text)
        case .wanted: listener.hearWanted()
        case .check(let question): numbers.hear(question)
        case .checked(let nonce, let replica): numbers.hear(answerTo: nonce, from: replica)
        case .silenced(let runID): logs[runID]?.wasSilenced()
        case .wish: steering.lookSoon()
        case .trace(let nonce): parts.withLock { $0 }?.tracePeer.hear(nonce)
        case .unknown(let what):
            guard unknownTold.withLock({ $0.count < 16 && $0.insert(what).inserted }) else { return }
            logger.notice("message of another version passed over", metadata: ["message": "\(what)"])
        }
    }

    private var electionConfiguration: ElectionConfiguration {
        var election = ElectionConfiguration(
            name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL,
            drainLimit: configuration.drain + .seconds(1), onOverrun: configuration.onOverrun, purpose: "run")
        election.witness = configuration.witness
        return election
    }

    /// Signs what this replica goes by where replicas with every other configuration look too.
    private func rulesKeeper(_ votes: any LeaseStore, _ topology: Topology, _ timing: LeaseTiming) -> RulesKeeper {
        let client = KeyedClient(nodes: locks, watch: watch, on: threads.election.any())
        let purpose = LeasePurpose(kind: "run", address: deployment.seeds.addresses.first.map { "\($0)" })
        return RulesKeeper(
            places: ElectionKeys.rules(inCluster: topology.mode == .cluster, name: configuration.name)
                .map { RulesKeeper.Place(keys: $0, runner: client) },
            signature: .init(
                member: member,
                terms: LeasePurpose(kind: "run").appended(to: electionConfiguration.rules(for: votes)),
                settings: wantedKeys),
            purpose: purpose, leaseTTL: configuration.leaseTTL, timeout: timing.operationTimeout * 2,
            // Votes elsewhere may be those of another deployment's group.
            needsIdentity: configuration.store != nil || !configuration.lockServers.isEmpty, on: threads.election.any(),
            met: { [weak self] in self?.meet($0) })
    }

    private func registerCount(_ topology: Topology) -> Int {
        configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
    }

    /// Where the election is held: in a store of its own, on independent servers, or beside the
    /// expirations.
    private func leaseStore(_ topology: Topology, _ timing: LeaseTiming) throws(LapseError) -> any LeaseStore {
        if let store = configuration.store { return store }
        // The elector stops counting on an operation after its timeout; the connection may know a little
        // longer.
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
            let settings = try deployment.settings(for: "lock", configuration).independent(url, of: deployment.seeds)
            return SingleServer(NodeClient(url.address, settings: settings, on: threads.election.any()))
        } catch {
            throw .configuration("lockServers", "\(error)")
        }
    }

    /// Progress lives beside the lock keys of the deployment, whatever store votes on the lease.
    private func places(_ topology: Topology) -> [ProgressKeeper.Place] {
        let client = KeyedClient(nodes: commands, watch: watch, on: threads.control.any())
        return ElectionKeys.registers(registerCount(topology), name: configuration.name)
            .map { ProgressKeeper.Place(keys: $0, runner: client) }
    }

    private func feedDependencies(
        _ store: any LeaseStore, _ dispatcher: Dispatcher, _ numbers: NumberExchange, _ peer: RepairPeer,
        _ listener: ProgressListener, _ ownLocks: OwnLocks, _ punctuality: Punctuality?, _ canaries: Canaries?
    ) -> FeedDependencies {
        // Only votes in Redis are given back where the feeds can hear it.
        let votes = store as? RedisLeaseStore
        return FeedDependencies(
            name: configuration.name, id: configuration.id, settings: deployment.settings(for: "feed", configuration),
            loops: threads.feeds, control: threads.control.any(), commands: commands, watch: watch, logs: logs,
            listeners: .init(
                appended: { dispatcher.appended() }, leaseFreed: { votes?.wake($0) },
                lockLapsed: { ownLocks.heard($0) }, subscribed: { listener.subscribed() },
                asked: { peer.hear($0) }, told: { [weak self] in self?.hear($0, numbers, listener) },
                look: { [watch] in watch.looks }, punctuality: punctuality, canaries: canaries,
                large: { [weak self] in self?.heardLargeKey(of: $0, $1, $2) }),
            notifications: Notifications.Policy(rawValue: configuration.notifications.rawValue) ?? .verify,
            databases: Self.databases(configuration, deployment),
            wantsHints: configuration.punctual == .track, login: RedisLogin(deployment.settings, configuration.tls),
            numbers: numbers,
            settled: { poll in dispatcher.update { $0.note(poll) } },
            isPunctual: configuration.punctual != .off, metrics: metrics, logger: logger
        )
    }
}
