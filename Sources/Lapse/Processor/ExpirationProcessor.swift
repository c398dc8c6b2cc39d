public import LeaderElection
public import Logging
import NIOCore
import NIOPosix
import RedisClient
public import ServiceLifecycle
import Synchronization
import Timing

/// Handles Redis key expirations: each that Redis announces, by one leader among the replicas, with
/// nothing lost silently.
///
/// ```swift
/// let processor = ExpirationProcessor(
///     configuration: .init(redis: ["redis://10.0.0.1:6379"], name: "carts", match: ["cart:*"])
/// ) { expiration, context in
///     try await carts.release(expiration.key, token: context.fencingToken)
/// }
/// try await processor.run()
/// ```
///
/// Each expiration that Redis announced while one replica listened is handled at least once. It may be
/// handled twice after a crash or a lost lease, or when its handler fails or overruns after its effect.
/// A processor runs once.
public final class ExpirationProcessor: Service {
    /// How a processor runs.
    public typealias Configuration = ProcessorConfiguration

    let configuration: Configuration
    let handler: Handling
    let logger: Logger
    private let changes = Broadcast<LeadershipChange>()
    private let gapsHeard = Broadcast<Gap>()
    private let running = Mutex<RunningProcessor?>(nil)
    private let started = Atomic(false)
    private let stopped = Atomic(false)

    /// A processor; nothing happens before ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: how it runs; checked by ``run()``.
    ///   - logger: where its lines go; the handlers' loggers derive from it.
    ///   - handler: handles one expiration; may be async and throw (a throw is retried). Its task is
    ///     cancelled at the handler timeout and when the term ends.
    public init(
        configuration: Configuration, logger: Logger = Logger(label: "lapse"), handler: @escaping ExpirationHandler
    ) {
        self.configuration = configuration
        self.handler = .one(handler)
        self.logger = logger
    }

    /// A processor that hands over many expirations at once; nothing happens before ``run()``.
    ///
    /// ```swift
    /// let processor = ExpirationProcessor.inBatches(configuration: configuration) { batch, context in
    ///     try await database.transaction { for expiration in batch { try await $0.release(expiration) } }
    ///     return .handled
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - configuration: how it runs; checked by ``run()``. Its concurrency is how many batches are
    ///     handled at once, each of another node. With companion rules a batch holds one expiration.
    ///   - logger: where its lines go.
    ///   - handler: handles up to ``ExpirationBatch/limit`` expirations of one node, see ``BatchHandler``.
    public static func inBatches(
        configuration: Configuration, logger: Logger = Logger(label: "lapse"), handler: @escaping BatchHandler
    ) -> ExpirationProcessor {
        ExpirationProcessor(configuration: configuration, logger: logger, handling: .batches(handler))
    }

    package init(configuration: Configuration, logger: Logger, handling: Handling) {
        self.configuration = configuration
        self.handler = handling
        self.logger = logger
    }

    /// Runs until graceful shutdown or ``stop()``, which drain and hand over, or until its task is
    /// cancelled, which ends the term at once: the handlers are cancelled and awaited.
    ///
    /// - Throws: ``LapseError``: a configuration that makes no sense, Redis that is not reached in time or
    ///   refuses at the start, or a handler that ignored its cancellation past the end of the lease. Later
    ///   failures of Redis end nothing.
    @concurrent
    public func run() async throws {
        guard !started.exchange(true, ordering: .relaxed) else {
            throw LapseError.configuration(nil, "this processor has run already; a processor runs once")
        }
        defer {
            changes.finish()
            gapsHeard.finish()
        }
        let deployment: Deployment
        do {
            try configuration.validate()
            deployment = try Deployment(configuration)
        } catch {
            await configuration.store?.shutDown()
            throw error
        }
        let threads = ProcessorThreads(punctual: configuration.punctual != .off)
        do {
            let run = RunningProcessor(
                configuration, deployment, threads, changes: changes, gaps: gapsHeard, logger: logger, handler: handler)
            try await withTaskExecutorPreference(threads.executor) {
                try await withGracefulShutdownHandler {
                    running.withLock { $0 = run }
                    if stopped.load(ordering: .sequentiallyConsistent) { run.stop() }
                    if try await run.discover() { try await run.serve() }
                } onGracefulShutdown: {
                    run.stop()
                }
            }
            await close(threads)
        } catch {
            await close(threads)
            throw error
        }
    }

    private func close(_ threads: ProcessorThreads) async {
        await configuration.store?.shutDown()
        await threads.shutDown()
    }

    /// Drains, hands over, and lets ``run()`` return. May be called at any time, more than once.
    public func stop() {
        stopped.store(true, ordering: .sequentiallyConsistent)
        let run = running.withLock { $0 }
        run?.stop()
    }

    /// What becomes of this replica's leadership, from now on. Every call gives a sequence of its own,
    /// which ends with the run. It holds 256 changes; a reader that falls further behind misses the oldest.
    public var leadership: AsyncStream<LeadershipChange> { changes.listen() }

    /// The stretches of expirations that were not heard, from now on. Every call gives a sequence of its
    /// own, which ends with the run. It holds 256; a reader that falls further behind misses the oldest,
    /// which the metrics and ``status`` still count.
    public var gaps: AsyncStream<Gap> { gapsHeard.listen() }

    /// How things stand; nil before Redis was first reached.
    public var status: ProcessorStatus? { running.withLock { $0 }?.status }

    /// What is told in its place before that.
    package var startingStatus: StartingStatus { StartingStatus(name: configuration.name, id: configuration.id) }

    /// Whether the process works: nil, or why it should be restarted, such as a leader that failed to renew
    /// past its lease. Losing Redis is no reason, for a restart would not bring it back. For a liveness
    /// probe; waits for nothing.
    public func liveness() -> String? { running.withLock { $0 }?.liveness() }

    /// Whether every known master is subscribed and announces expirations: empty, or the reasons, one for
    /// each trouble, such as `127.0.0.1:30002: not subscribed`. For a readiness probe; waits for nothing.
    public func readiness() -> [String] { running.withLock { $0 }?.readiness() ?? ["Redis has not been reached yet"] }

    /// What an operator has asked for, one a line, such as a pause: it stands behind `ok` in `/readyz`.
    package func notices() -> [String] { running.withLock { $0 }?.notices() ?? [] }

    /// How the group stands, for the admin port's page; nil before Redis was first reached.
    package func view(samples: Int) async -> GroupView? { await running.withLock { $0 }?.view(samples: samples) }

    /// What the page samples each second; nil before Redis was first reached.
    package func figures() -> ViewFigures? { running.withLock { $0 }?.figures() }

    /// Brings the gauges up to date.
    package func refreshMetrics() { running.withLock { $0 }?.refreshMetrics() }
}

/// The threads of one processor: feeds, everything else, punctuality, and the election, which nothing
/// may ever delay.
struct ProcessorThreads: Sendable {
    let feeds = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let election = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Hints, questions and nudges; nil where the servers are not made punctual.
    let punctual: MultiThreadedEventLoopGroup?
    let executor: EventLoopTaskExecutor

    init(punctual: Bool) {
        executor = EventLoopTaskExecutor(control.any())
        self.punctual = punctual ? MultiThreadedEventLoopGroup(numberOfThreads: 1) : nil
    }

    func shutDown() async {
        for group in [election, feeds, control] + [punctual].compactMap(\.self) {
            try? await group.shutdownGracefully()
        }
    }
}
