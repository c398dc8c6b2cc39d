import LeaderElection
import Logging
import NIOCore
import RedisClient
import Synchronization

/// The parts of a processor, put together once Redis has been reached.
final class RunningProcessor: Sendable {
    /// What exists only after the topology is known.
    private struct Parts: Sendable {
        let elector: Elector
        let feeds: FeedSet
        let dispatcher: Dispatcher
        let keeper: ProgressKeeper
        let leadership: Leadership
    }

    private let configuration: ProcessorConfiguration
    private let deployment: Deployment
    private let threads: ProcessorThreads
    private let logger: Logger
    private let handler: ExpirationHandler
    private let changes: Broadcast<LeadershipChange>
    private let gaps: Broadcast<Gap>
    private let commands: NodeDirectory
    private let sentinels: NodeDirectory
    private let locks: NodeDirectory
    private let watch: TopologyWatch
    private let logs: LogBook
    private let metrics = ProcessorMetrics()
    private let account = Account()
    private let parts = Mutex<Parts?>(nil)
    private let isStopped = Mutex(false)

    init(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, _ threads: ProcessorThreads,
        changes: Broadcast<LeadershipChange>, gaps: Broadcast<Gap>, logger: Logger, handler: @escaping ExpirationHandler
    ) {
        self.configuration = configuration
        self.deployment = deployment
        self.threads = threads
        self.changes = changes
        self.gaps = gaps
        self.logger = logger
        self.handler = handler
        commands = NodeDirectory(settings: deployment.settings, on: threads.control)
        sentinels = NodeDirectory(settings: deployment.settings, on: threads.control)
        locks = NodeDirectory(settings: deployment.settings(for: "lock", configuration), on: threads.election)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: commands, sentinels: sentinels, on: threads.control.any(), logger: logger)
        logs = LogBook(limitBytes: configuration.logBytes, limitAge: configuration.logAge)
    }

    /// Drains, hands over, and lets ``serve()`` return.
    func stop() {
        isStopped.withLock { $0 = true }
        parts.withLock { $0 }?.elector.stop()
    }

    // MARK: - The start

    /// Finds the servers, trying again until the startup timeout. Throws at once what only an operator can mend.
    func discover() async throws(LapseError) {
        let deadline = configuration.startupTimeout.map { ContinuousClock.now + $0 }
        let bell = Doorbell(on: threads.control.any())
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        while true {
            do throws(RedisError) {
                let topology = try await watch.discover()
                logger.info(
                    "found Redis",
                    metadata: ["topology": "\(topology.mode.rawValue)", "nodes": "\(topology.nodes.count)"])
                return
            } catch {
                if error.isPermanent || error.kind == .protocolViolation { throw LapseError(error) }
                if let deadline, ContinuousClock.now >= deadline { throw .unreachable(error.description) }
                if told != error.description {
                    told = error.description
                    logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                }
            }
            let isOver = isStopped.withLock { $0 } || Task.isCancelled
            if isOver { throw .unreachable(told ?? "Redis has not been reached") }
            _ = await bell.wait(upTo: backoff.next())
        }
    }

    private func assemble() throws -> Parts {
        guard let topology = watch.current else { throw LapseError.unreachable("the servers are not known") }
        let timing = try ElectionConfiguration(name: configuration.name, leaseTTL: configuration.leaseTTL).timing()
        let store = try leaseStore(topology, timing)
        let keeper = ProgressKeeper(places: places(topology), id: configuration.id)
        let elector = try Elector(
            store: store, configuration: electionConfiguration, logger: logger, eventLoop: threads.election.any())
        let databases = configuration.databases.isEmpty ? [deployment.database ?? 0] : configuration.databases
        let dispatcher = Dispatcher(
            logs: logs,
            filter: KeyFilter(match: configuration.match, ignore: configuration.ignore, databases: databases),
            lanes: configuration.concurrency, retryBell: Doorbell(on: threads.control.any()),
            listeners: .init(
                gap: { [weak self] in self?.heard($0) },
                ignored: { [account, metrics] node, count in
                    account.ignored("\(node)", count)
                    metrics.ignored(node, count)
                },
                doubtful: { [watch] in watch.surprise(doubting: $0) }))
        watch.tell { dispatcher.note($0) }
        let feeds = FeedSet(surroundings(store, dispatcher, keeper))
        let client = KeyedClient(nodes: commands, watch: watch, on: threads.control.any())
        let leadership = Leadership(
            dispatcher: dispatcher, keeper: keeper, logs: logs, lanes: configuration.concurrency,
            drain: configuration.drain, executor: threads.executor, loop: threads.control.any(),
            lane: Lane.Surroundings(
                dispatcher: dispatcher, handler: handler, timeout: configuration.handlerTimeout,
                retries: RetryPolicy(retries: configuration.retries),
                deadLetters: DeadLetters(stream: configuration.deadLetter, client: client, logger: logger),
                metrics: metrics, logger: logger, clock: { [threads] in Doorbell(on: threads.control.any()) }),
            resign: { elector.resign() }, logger: logger)
        return Parts(elector: elector, feeds: feeds, dispatcher: dispatcher, keeper: keeper, leadership: leadership)
    }

    private var electionConfiguration: ElectionConfiguration {
        ElectionConfiguration(
            name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL,
            drainLimit: configuration.drain + .seconds(1), onOverrun: configuration.onOverrun)
    }

    private func registerCount(_ topology: Topology) -> Int {
        configuration.registers ?? (topology.mode == .cluster ? 3 : 1)
    }

    private func leaseStore(_ topology: Topology, _ timing: LeaseTiming) throws(LapseError) -> RedisLeaseStore {
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
            guard url.usesTLS == deployment.seeds.useHostNames || !url.usesTLS else {
                throw RedisURLError("TLS lock servers need rediss:// in --redis too")
            }
            var settings = deployment.settings(for: "lock", configuration)
            if let credentials = url.credentials { settings.credentials = credentials }
            if !url.usesTLS { settings.tls = nil }
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
        _ store: RedisLeaseStore, _ dispatcher: Dispatcher, _ keeper: ProgressKeeper
    ) -> FeedSurroundings {
        FeedSurroundings(
            name: configuration.name, id: configuration.id, settings: deployment.settings(for: "feed", configuration),
            loops: threads.feeds, commands: commands, watch: watch, logs: logs,
            listeners: .init(
                appended: { dispatcher.appended($0) }, leaseFreed: { store.wake($0) },
                look: { [watch] in watch.looks }),
            notifications: Notifications.Policy(rawValue: configuration.notifications.rawValue) ?? .verify,
            base: { keeper.latest[$0]?.base }, settled: { dispatcher.note($0) }, metrics: metrics, logger: logger)
    }

    // MARK: - The run

    /// Subscribes, elects and handles until stopped or cancelled.
    func serve() async throws {
        let parts = try assemble()
        self.parts.withLock { $0 = parts }
        // The leader's progress carries what a feed needs to number a node after a counter reset.
        _ = await parts.keeper.read()
        let news = parts.elector.leadership
        let failure = await withTaskGroup(of: LapseError?.self) { group in
            group.addTask {
                await self.watch.run(); return nil
            }
            group.addTask {
                await parts.feeds.run(); return nil
            }
            group.addTask {
                await self.follow(parts); return nil
            }
            group.addTask {
                await self.announce(news); return nil
            }
            if isStopped.withLock({ $0 }) { parts.elector.stop() }
            let failure = await self.elect(parts)
            group.cancelAll()
            return failure
        }
        for directory in [commands, sentinels, locks] { await directory.shutDown() }
        if let failure { throw failure }
    }

    private func elect(_ parts: Parts) async -> LapseError? {
        do throws(ElectionError) {
            try await parts.elector.run { await parts.leadership.lead($0) }
            return nil
        } catch {
            switch error {
            case .bodyOverran(let term): return .handlerOverran(term: term)
            case .configuration(let text): return .configuration(text)
            case .alreadyRun: return .configuration("\(error)")
            }
        }
    }

    /// Each second: learn the leader's progress, forget what it has finished, refresh the gauges.
    private func follow(_ parts: Parts) async {
        let bell = Doorbell(on: threads.control.any())
        while await bell.wait(upTo: .seconds(1)) != .cancelled {
            if let progress = await parts.keeper.read(), !parts.elector.state.isLeader {
                for entry in progress.values { logs[entry.runID]?.trim(through: entry.cursor.settled) }
            }
            refreshMetrics()
        }
    }

    private func announce(_ news: AsyncStream<LeadershipChange>) async {
        for await change in news {
            switch change {
            case .leading: metrics.transition("elected")
            case .ended(_, let reason): metrics.transition(reason.rawValue)
            default: break
            }
            changes.send(change)
        }
    }

    private func heard(_ gap: Gap) {
        account.lost(gap.node, gap.lost)
        if let node = NodeAddress(gap.node) { metrics.lost(node, gap.lost) }
        logger.error(
            "gap",
            metadata: [
                "node": "\(gap.node)", "count": "\(gap.ordinals.count)", "repaired": "\(gap.repaired)",
                "lost": "\(gap.lost)", "from": "\(gap.ordinals.lowerBound)", "to": "\(gap.ordinals.upperBound)",
            ])
        gaps.send(gap)
    }

    // MARK: - How it stands

    var status: ProcessorStatus? {
        guard let parts = parts.withLock({ $0 }) else { return nil }
        let state = parts.elector.state
        let feeds = parts.feeds.statuses
        let backlog = parts.dispatcher.backlog()
        let nodes = (watch.current?.nodes ?? []).map { node in
            let feed = feeds[node.address] ?? NodeFeed.Status()
            let sums = account["\(node.address)"]
            let kept = logs.all.filter { $0.address == node.address }
            return ProcessorStatus.Node(
                address: "\(node.address)", role: node.role.rawValue, runId: feed.runID,
                isSubscribed: feed.isSubscribed, isSilent: feed.isSilent, notifications: feed.notifications,
                error: feed.error, received: kept.reduce(0) { $0 + $1.counts.received }, lost: sums.lost,
                ignored: sums.ignored, surplus: kept.reduce(0) { $0 + $1.counts.surplus },
                logEntries: kept.reduce(0) { $0 + $1.counts.entries },
                logBytes: kept.reduce(0) { $0 + $1.counts.bytes },
                backlog: kept.reduce(0) { $0 + (backlog[$1.runID] ?? 0) })
        }
        return ProcessorStatus(
            name: configuration.name, id: configuration.id, role: state.role.rawValue, isLeader: state.isLeader,
            term: state.term, token: state.token.rawValue, leader: state.isLeader ? configuration.id : state.leader,
            leaseRemainingSeconds: state.leaseRemaining / .seconds(1),
            registerCounts: state.registers.reduce(into: ["ok": 0, "lost": 0, "unreachable": 0, "unknown": 0]) {
                $0[$1.state.label, default: 0] += 1
            }, inFlight: parts.dispatcher.inFlight, nodes: nodes)
    }

    func liveness() -> String? {
        guard let state = parts.withLock({ $0 })?.elector.state else { return nil }
        guard state.role == .leading || state.role == .suspect, !state.isLeader else { return nil }
        return "this leader has not renewed its lease in time"
    }

    func readiness() -> [String] {
        guard let status else { return ["Redis has not been reached yet"] }
        guard !status.nodes.isEmpty else { return ["no node is known"] }
        var reasons: [String] = []
        for node in status.nodes where node.role == Topology.Role.master.rawValue {
            if !node.isSubscribed {
                reasons.append("\(node.address): not subscribed\(node.error.map { " (\($0))" } ?? "")")
            } else if node.isSilent {
                reasons.append("\(node.address): does not answer")
            } else if configuration.notifications != .off, let flags = node.notifications,
                !Notifications.suffice(flags)
            {
                reasons.append("\(node.address): announces no expirations: \(Notifications.command(flags))")
            }
        }
        if let topology = watch.current, topology.uncoveredSlots > 0 {
            reasons.append("\(topology.uncoveredSlots) slots are owned by no node")
        }
        return reasons
    }

    func refreshMetrics() {
        guard let status else { return }
        metrics.refresh(status, parts.withLock { $0 }?.elector.state)
    }
}

extension RegisterState {
    fileprivate var label: String {
        switch self {
        case .unknown: "unknown"
        case .ok: "ok"
        case .lost: "lost"
        case .unreachable: "unreachable"
        }
    }
}
