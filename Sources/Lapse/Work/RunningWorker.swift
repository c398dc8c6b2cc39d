import ExpirationStream
import LeaderElection
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Timing

/// A worker at work: it carries out what the machine orders, and tells it how that went.
final class RunningWorker: Sendable {
    let configuration: WorkerConfiguration
    let handler: WorkHandler
    let logger: Logger
    let metrics: ProcessorMetrics
    /// Nil where the program has no tracer.
    let spans: AttemptSpans?
    let executor: EventLoopTaskExecutor
    let stream: WorkStream
    /// Asked to end.
    let stopped: Gate
    /// Handlers are to end now.
    let cancelled = Gate()
    private let deployment: Deployment
    private let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let commands: NodeDirectory
    private let sentinels: NodeDirectory
    private let watch: TopologyWatch
    /// A blocked connection serves nothing else, so each partition has one of its own.
    private let readers = Mutex<[String: NodeDirectory]>([:])
    /// Of the stream.
    let troubles = Mutex(WorkTroubles())
    /// Of the handlers: apart, so that each has its own all-clear.
    let handlerTroubles = Mutex(WorkTroubles())
    private let isReady = Atomic(false)
    private let standing: Mutex<WorkerStatus>
    private let letters: LetterCount

    init(
        _ configuration: WorkerConfiguration, handler: @escaping WorkHandler, stopped: Gate, logger: Logger
    ) throws(LapseError) {
        self.configuration = configuration
        self.handler = handler
        self.stopped = stopped
        self.logger = logger
        metrics = ProcessorMetrics(of: .worker, keys: configuration.logKeys)
        spans = AttemptSpans.ifTraced(configuration.logKeys)
        standing = Mutex(
            WorkerStatus(stream: configuration.stream, group: configuration.group, id: configuration.id))
        deployment = try Deployment(configuration.shared)
        executor = EventLoopTaskExecutor(loops.any())
        commands = NodeDirectory(settings: deployment.settings.named("lapse:\(configuration.id):work"), on: loops)
        sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: loops)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: commands, sentinels: sentinels, on: loops.any(), logger: logger)
        stream = WorkStream(
            group: configuration.group, consumer: configuration.id, claimAfter: configuration.claimAfter,
            client: KeyedClient(nodes: commands, watch: watch, on: loops.any()),
            nonce: String(UInt64.random(in: .min ... .max), radix: 36))
        letters = LetterCount(
            configuration.deadLetter.map { [stream] in .init(key: $0, client: stream.client) },
            bell: Doorbell(on: loops.any()), logger: logger)
    }

    var settings: WorkMachine.Settings {
        WorkMachine.Settings(
            lanes: configuration.concurrency,
            retries: RetryPolicy(
                retries: configuration.retries, first: configuration.retryDelay, cap: configuration.longestRetryDelay),
            claimAfter: configuration.claimAfter)
    }

    var readiness: [String] {
        guard isReady.load(ordering: .acquiring) else { return ["Redis has not been reached yet"] }
        return [watch.troubleReason].compactMap(\.self) + troubles.withLock { $0.reasons }
            + handlerTroubles.withLock { $0.reasons }
    }

    var status: WorkerStatus {
        var status = standing.withLock { $0 }
        status.troubles = readiness
        status.deadLetters = letters.current
        return status
    }

    func refreshMetrics() { metrics.refresh(status, isReady: readiness.isEmpty) }

    /// The machine has taken a step.
    func stands(_ machine: WorkMachine) {
        if troubles.withLock({ !$0.isEmpty && $0.emptyHanded(machine.emptyHanded) }) { answersAgain() }
        standing.withLock { status in
            status.partitions = machine.order
            status.inHand = machine.inHand
            status.running = machine.running
            status.waiting = machine.waitingCount
        }
    }

    func run() async throws {
        guard let partitions = try await begin() else { return }
        isReady.store(true, ordering: .releasing)
        logger.info(
            "working",
            metadata: [
                "stream": "\(configuration.stream)", "group": "\(configuration.group)", "id": "\(configuration.id)",
                "partitions": .stringConvertible(partitions.count),
            ])
        await withTaskGroup { group in
            // The topology is looked at beside the work, whose end ends it.
            group.addTask { await self.watch.run() }
            // It ends with the work, too.
            group.addTask { await self.letters.run() }
            var loop = WorkLoop(self)
            await loop.run(partitions)
            group.cancelAll()
        }
    }

    func shutDown() async {
        await stopReading()
        await commands.shutDown()
        await sentinels.shutDown()
        try? await loops.shutdownGracefully()
    }

    // MARK: - The start

    /// Finds Redis and the partitions, and a group in one of them at least. Returns nil when asked to end
    /// before that.
    private func begin() async throws(LapseError) -> [String]? {
        let deadline = configuration.startupTimeout.map { ContinuousClock.now + $0 }
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        while true {
            if stopped.isOpen { return nil }
            do throws(RedisError) {
                if watch.current == nil { try await watch.discover() }
                let partitions = try await stream.partitions(of: configuration.stream)
                try await prepare(partitions)
                return partitions
            } catch {
                if let impossible = ImpossibleSettings.explain(error) { throw impossible }
                if case .reply(let reply) = error.kind, reply.code == "WRONGTYPE" {
                    throw .configuration("stream", "\(configuration.stream) is a key of another type: name another one")
                }
                let isFinal = error.isPermanent || error.kind == .protocolViolation
                if isFinal, deadline == nil { throw LapseError(error) }
                if let deadline, ContinuousClock.now >= deadline { throw LapseError(error) }
                if told != error.description {
                    told = error.description
                    logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                }
            }
            if Task.isCancelled { throw .unreachable(told ?? "Redis has not been reached") }
            await pause(backoff.next())
        }
    }

    /// Waits, but not past the order to end.
    func pause(_ time: Duration) async {
        let loop = loops.any()
        await withTaskGroup { group in
            // Both wait, and the first to end ends the other.
            group.addTask { await loop.sleep(time) }
            group.addTask { await self.stopped.wait() }
            await group.next()
            group.cancelAll()
        }
    }

    func sleep(_ time: Duration) async { await loops.any().sleep(time) }

    func bell() -> Doorbell { Doorbell(on: loops.any()) }

    /// Makes the groups. A partition that cannot be asked keeps the worker from no other: it is told, and
    /// its reads try again.
    ///
    /// - Throws: where none can be asked.
    private func prepare(_ partitions: [String]) async throws(RedisError) {
        let failures = await withTaskGroup(
            of: (String, RedisError?).self, returning: [String: RedisError].self
        ) { group in
            for partition in partitions {
                // Beside each other: one that is silent takes its time.
                group.addTask { (partition, await self.failure(preparing: partition)) }
            }
            var failures: [String: RedisError] = [:]
            for await (partition, failure) in group { failures[partition] = failure }
            return failures
        }
        if failures.count == partitions.count, let first = partitions.first, let failure = failures[first] {
            throw failure
        }
        for partition in partitions {
            if let failure = failures[partition] { failed("read", partition, failure) }
        }
    }

    private func failure(preparing partition: String) async -> RedisError? {
        do throws(RedisError) {
            try await prepare(partition)
            return nil
        } catch { return error }
    }

    /// Makes the group, and says so, where it is missing.
    func prepare(_ partition: String) async throws(RedisError) {
        guard try await stream.prepare(partition) else { return }
        logger.notice("group made", metadata: ["stream": "\(partition)", "group": "\(configuration.group)"])
    }

    // MARK: - Reading

    func read(_ partition: String, limit: Int) async throws(RedisError) -> [WorkStream.Found] {
        let nodes = readers.withLock { readers in
            if let nodes = readers[partition] { return nodes }
            let nodes = NodeDirectory(
                settings: deployment.settings.named("lapse:\(configuration.id):read"), on: loops)
            readers[partition] = nodes
            return nodes
        }
        let client = KeyedClient(nodes: nodes, watch: watch, on: loops.any())
        do throws(RedisError) {
            return try await stream.read(partition, limit: limit, over: client)
        } catch {
            // The stream was deleted or has moved while the read waited: the next one finds out.
            if case .reply(let reply) = error.kind, reply.code == "UNBLOCKED" { return [] }
            guard Self.lacksGroup(error) else { throw error }
            try await prepare(partition)
            return []
        }
    }

    /// Whether the group is gone, or was never made: a script wraps the words.
    static func lacksGroup(_ error: RedisError) -> Bool {
        if case .reply(let reply) = error.kind { reply.text.contains("NOGROUP") } else { false }
    }

    /// Ends the reads that wait.
    func stopReading() async {
        let nodes = readers.withLock { readers in
            defer { readers = [:] }
            return Array(readers.values)
        }
        await withDiscardingTaskGroup { group in
            // At once: a frozen node takes its time.
            for directory in nodes { group.addTask { await directory.shutDown() } }
        }
    }
}
