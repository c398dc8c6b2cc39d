import LeaderElection
import LeaderElectionRedis
import Logging
import NIOPosix
import RedisClient
import Synchronization
import Timing

/// The parts of a processor, put together once Redis has been reached.
final class RunningProcessor: Sendable {
    /// What exists only after the topology is known.
    struct Parts: Sendable {
        let elector: Elector
        let feeds: FeedSet
        let dispatcher: Dispatcher
        let keeper: ProgressKeeper
        let leadership: Leadership
        let repairer: Repairer
        let peer: RepairPeer
        let completion: LogCompletion
        let numbers: NumberExchange
        let listener: ProgressListener
        let reconciler: Reconciler?
        let punctuality: Punctuality?
        let canaries: Canaries?
        let stream: StreamWriter?
        let tracePeer: TracePeer
    }

    let configuration: ProcessorConfiguration
    let deployment: Deployment
    let threads: ProcessorThreads
    let logger: Logger
    let handler: Handling
    let changes: Broadcast<LeadershipChange>
    let gaps: Broadcast<Gap>
    let commands: NodeDirectory
    let sentinels: NodeDirectory
    let locks: NodeDirectory
    /// Connections for the stream: a batch holds up nothing else.
    let streams: NodeDirectory
    /// Connections for companions, by database; empty without companion rules.
    let companions: [UInt16: NodeDirectory]
    /// Connections for questions and nudges, by database; empty where the servers are not made punctual.
    let questions: [UInt16: NodeDirectory]
    /// Connections for canaries.
    let canaryNodes: NodeDirectory
    let watch: TopologyWatch
    let logs: LogSet
    let metrics: ProcessorMetrics
    let account = NodeTotals()
    let absent: Mutex<AbsentNodes>
    let removed: Mutex<RemovedProgress>
    let parts = Mutex<Parts?>(nil)
    /// This replica and this process, by which its peers tell it from a namesake.
    let member: MemberID
    let othersTold = Mutex<Set<GroupRules.Other>>([])
    private let isStopped = Mutex(false)
    /// Rung to end the wait for Redis.
    private let startBell: Doorbell
    let uncoveredLine = Mutex(LineLimit(every: .seconds(60)))
    let largeKeyLine = Mutex(LineLimit(every: .seconds(1)))
    let surplusLine = Mutex(LineLimit(every: .seconds(10)))
    private let domainsTold = Mutex<Int?>(nil)
    /// Messages of other builds that were told, once each.
    let unknownTold = Mutex<Set<String>>([])
    let troubles = Mutex(GroupTroubles())
    let steering: Steering

    init(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, _ threads: ProcessorThreads,
        changes: Broadcast<LeadershipChange>, gaps: Broadcast<Gap>, logger: Logger, handler: Handling
    ) {
        self.configuration = configuration
        self.deployment = deployment
        member = MemberID(id: configuration.id)
        self.threads = threads
        self.changes = changes
        self.gaps = gaps
        self.logger = logger
        self.handler = handler
        commands = NodeDirectory(settings: deployment.settings, on: threads.control)
        sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: threads.control)
        streams = NodeDirectory(settings: deployment.settings(for: "stream", configuration), on: threads.control)
        locks = NodeDirectory(settings: deployment.settings(for: "lock", configuration), on: threads.election)
        companions = Self.companionDirectories(configuration, deployment, threads)
        questions = Self.questionDirectories(configuration, deployment, threads)
        canaryNodes = Self.canaryDirectory(configuration, deployment, threads)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: commands, sentinels: sentinels, on: threads.control.any(), logger: logger)
        startBell = Doorbell(on: threads.control.any())
        metrics = ProcessorMetrics(of: .replica, keys: configuration.logKeys)
        absent = Mutex(AbsentNodes(logAge: configuration.logAge))
        removed = Mutex(RemovedProgress(logAge: configuration.logAge))
        steering = Steering(longestPause: configuration.logAge, on: threads.control.any())
        logs = LogSet(
            limitBytes: configuration.logBytes, limitAge: configuration.logAge,
            totalBytes: configuration.logTotalBytes ?? MemoryLimit.forLogs(), shed: ShedChunks(limit: Self.shedLimit))
    }

    /// Drains, hands over, and lets ``serve()`` return.
    func stop() {
        isStopped.withLock { $0 = true }
        startBell.ring()
        parts.withLock { $0 }?.elector.stop()
    }

    // MARK: - The start

    /// Finds the servers, trying again until the startup timeout. Throws at once what only an operator can
    /// mend.
    ///
    /// - Returns: false when it was stopped before.
    func discover() async throws(LapseError) -> Bool {
        let deadline = configuration.startupTimeout.map { ContinuousClock.now + $0 }
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        var found: Topology?
        while found == nil {
            do throws(RedisError) {
                let topology = try await watch.discover()
                logger.info(
                    "found Redis",
                    metadata: [
                        "topology": "\(topology.mode.rawValue)", "nodes": .stringConvertible(topology.nodes.count),
                    ])
                found = topology
                break
            } catch {
                if let impossible = ImpossibleSettings.explain(error) { throw impossible }
                // A refusal passes while servers are still being set up: the timeout is for that.
                let isFinal = error.isPermanent || error.kind == .protocolViolation
                if isFinal, deadline == nil { throw LapseError(error) }
                if let deadline, ContinuousClock.now >= deadline { throw LapseError(error) }
                if told != error.description {
                    told = error.description
                    logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                }
            }
            if isStopped.withLock({ $0 }) { return false }
            if Task.isCancelled { throw .unreachable(told ?? "Redis has not been reached") }
            _ = await startBell.wait(upTo: backoff.next())
        }
        if let found { try await ImpossibleSettings(configuration, deployment, nodes: commands).check(found) }
        return true
    }

    // MARK: - The run

    /// Subscribes, elects and handles until stopped or cancelled.
    func serve() async throws {
        let parts = try assemble()
        self.parts.withLock { $0 = parts }
        if let refusal = await parts.stream?.refusal() { throw refusal }
        // The leader's progress carries what a feed needs to number a node after a counter reset.
        _ = await parts.keeper.read()
        await steer(parts)
        let news = parts.elector.leadership
        let failure = await withTaskGroup(of: LapseError?.self) { group in
            group.addTask {
                await self.watch.run(); return nil
            }
            group.addTask {
                await parts.repairer.run()
                return nil
            }
            group.addTask {
                await parts.peer.run()
                return nil
            }
            // Beside everything else: a question waits for nothing.
            group.addTask {
                await parts.tracePeer.run()
                return nil
            }
            group.addTask {
                await parts.completion.run()
                return nil
            }
            group.addTask {
                await parts.numbers.run(); return nil
            }
            group.addTask {
                await parts.listener.run(); return nil
            }
            group.addTask {
                guard let refusal = await parts.feeds.run() else { return nil }
                parts.elector.stop()
                return LapseError(refusal)
            }
            group.addTask {
                await self.follow(parts); return nil
            }
            group.addTask {
                await parts.leadership.lane.deadLetters.check(); return nil
            }
            // On every replica, so that the number outlives a change of leader.
            group.addTask {
                await parts.leadership.lane.deadLetters.count.run(); return nil
            }
            // While this replica leads it looks after the stream; it ends with the run.
            group.addTask {
                await parts.stream?.run(); return nil
            }
            // A wish that was just made need not wait for the next second.
            group.addTask {
                await self.steering.whenAsked { await self.lookAtWishes(parts) }
                return nil
            }
            group.addTask {
                await self.announce(news); return nil
            }
            if isStopped.withLock({ $0 }) { parts.elector.stop() }
            let failure = await self.elect(parts)
            if failure == nil { await self.farewell(parts).serve() }
            group.cancelAll()
            return await group.reduce(failure) { $0 ?? $1 }
        }
        await parts.keeper.leave()
        let directories = [commands, sentinels, locks, streams, canaryNodes] + companions.values + questions.values
        await withDiscardingTaskGroup { group in
            // All at once: a server that does not answer holds up one, and not those behind it.
            for directory in directories { group.addTask { await directory.shutDown() } }
        }
        if let failure { throw failure }
    }

    private func farewell(_ parts: Parts) -> Farewell {
        Farewell(
            id: "\(member)", keeper: parts.keeper, logs: logs, token: parts.elector.state.token.rawValue,
            loop: threads.control.any(), logger: logger)
    }

    private func elect(_ parts: Parts) async -> LapseError? {
        do throws(ElectionError) {
            try await parts.elector.run { await parts.leadership.lead($0) }
            return nil
        } catch { return LapseError(error) }
    }

    /// Each second: learn the leader's progress, forget what it has finished, refresh the gauges where they
    /// are exported.
    private func follow(_ parts: Parts) async {
        let bell = Doorbell(on: threads.control.any())
        var looks = 0
        while await bell.wait(upTo: .seconds(1)) != .cancelled {
            if looks % 5 == 0 { await tellOfItself(parts) }
            looks += 1
            if let reading = await parts.keeper.read() {
                // The leader too: a peer may have found what the leader's subscription missed.
                logs.adopt(bases: parts.keeper.bases)
                if !parts.elector.state.isLeader { follow(reading, parts) }
                noteLeader(parts)
            }
            await steer(parts)
            tellTroubles(parts)
            let peers = parts.keeper.peers
            parts.dispatcher.update { $0.note(peers: peers) }
            warnOfSharedMaster(parts.elector.state)
            await forgetAbsent(parts, now: WallClock.milliseconds())
            watchDeadlines(parts)
            if metrics.isExported { refreshMetrics() }
        }
    }

    /// Keeps what the leader has not finished, and forgets what it has, and what it has removed.
    private func follow(_ reading: ProgressReading, _ parts: Parts) {
        forgetRemoved(parts, reading)
        for log in logs.all {
            guard let entry = reading[log.runID] else {
                log.follow(false)
                continue
            }
            log.learn(through: entry.cursor.through)
            log.adopt(base: entry.base)
            if let last = reading.forgettable(log.runID) { log.trim(through: last) } else { log.follow(true) }
        }
    }

    /// Two registers on one master are lost together: a majority may then be lost with one failure.
    private func warnOfSharedMaster(_ state: ElectorState) {
        guard let domains = state.failureDomains,
            domainsTold.withLock({ told in
                defer { told = domains }
                return told != domains
            }), domains < state.registers.count
        else { return }
        logger.warning(
            "lease registers share a master",
            metadata: [
                "registers": .stringConvertible(state.registers.count), "masters": "\(domains)",
                "fix": "spread the slots evenly over at least as many masters, or use --lock-servers",
            ])
    }
}
