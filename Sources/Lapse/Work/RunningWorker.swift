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
    private let troubles = Mutex(WorkTroubles())
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
        metrics = ProcessorMetrics(keys: configuration.logKeys)
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
        return troubles.withLock { $0.reasons }
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

    /// Finds Redis, the partitions and the group. Returns nil when asked to end before that.
    private func begin() async throws(LapseError) -> [String]? {
        let deadline = configuration.startupTimeout.map { ContinuousClock.now + $0 }
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        while true {
            if stopped.isOpen { return nil }
            do throws(RedisError) {
                if watch.current == nil { try await watch.discover() }
                let partitions = try await stream.partitions(of: configuration.stream)
                for partition in partitions { try await prepare(partition) }
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

    /// Makes the group, and says so, where it is missing.
    func prepare(_ partition: String) async throws(RedisError) {
        guard try await stream.prepare(partition) else { return }
        logger.notice("group made", metadata: ["stream": "\(partition)", "group": "\(configuration.group)"])
    }

    // MARK: - Reading

    func read(_ partition: String, limit: Int) async throws(RedisError) -> WorkStream.Found {
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

    // MARK: - What is said

    func worked(_ what: String, _ partition: String) {
        if troubles.withLock({ $0.succeeded("\(partition): \(what)") }) { answersAgain() }
    }

    private func answersAgain() {
        logger.notice("the stream answers again", metadata: ["stream": "\(configuration.stream)"])
    }

    /// The end waits for handlers that do not end though they were cancelled.
    func waitsForHandlers(_ count: Int) {
        guard count > 0 else { return }
        logger.error(
            "handlers do not end though they were cancelled",
            metadata: [
                "count": .stringConvertible(count),
                "fix": "let the handler end when its task is cancelled: others handle what it has",
            ])
    }

    func failed(_ what: String, _ partition: String, _ error: RedisError) {
        // Cut short by the end.
        if Task.isCancelled { return }
        let now = SystemClock.read().monotonic
        guard troubles.withLock({ $0.failed("\(partition): \(what)", error.description, now: now) }) else { return }
        logger.error(
            "the stream cannot be worked on",
            metadata: [
                "stream": "\(partition)", "group": "\(configuration.group)", "command": "\(what)", "error": "\(error)",
                "fix": "\(fix(error, partition))",
            ])
    }

    private func fix(_ error: RedisError, _ partition: String) -> String {
        if error.kind == .denied { return "give this user the rights of a worker, which the manual lists" }
        guard case .reply(let reply) = error.kind else { return "see that this server can be reached" }
        return switch reply.code {
        case "WRONGTYPE": "delete \(partition), or name another stream"
        case "NOGROUP": "make it: XGROUP CREATE \(partition) \(configuration.group) 0 MKSTREAM"
        case "OOM": "raise maxmemory, or free memory on this server"
        default: "see what this server says about XREADGROUP of \(partition)"
        }
    }
}
