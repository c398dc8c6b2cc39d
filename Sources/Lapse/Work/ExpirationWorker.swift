public import Logging
import NIOPosix
public import ServiceLifecycle
import Synchronization
import Timing

/// Handles expirations from a stream that `lapse run --stream` fills: any number of workers, anywhere,
/// share the entries.
///
/// ```swift
/// let worker = ExpirationWorker(configuration: .init(stream: "expirations", group: "carts")) { expiration, context in
///     try await carts.release(expiration.key, once: context.eventID)
/// }
/// try await worker.run()
/// ```
///
/// Each entry is handled at least once by one worker of the group, in no order across workers. An entry
/// whose worker died is handled by another one. One that ``WorkerConfiguration/retries`` more attempts
/// could not handle goes to the dead letters; an attempt counts once it has begun, so what a dead
/// worker only had in hand is not held against it. A worker runs once.
public final class ExpirationWorker: Service {
    private let configuration: WorkerConfiguration
    private let handler: WorkHandler
    private let logger: Logger
    private let stopped = Gate()
    private let started = Atomic(false)
    private let running = Mutex<RunningWorker?>(nil)

    /// A worker; nothing happens before ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: how it runs; checked by ``run()``.
    ///   - logger: where its lines go; the handlers' loggers derive from it.
    ///   - handler: handles one expiration, see ``WorkHandler``.
    public init(
        configuration: WorkerConfiguration, logger: Logger = Logger(label: "lapse"), handler: @escaping WorkHandler
    ) {
        self.configuration = configuration
        self.logger = logger
        self.handler = handler
    }

    /// With a handler of `lapse run`, which gets the term and the token of the leader that appended the
    /// entry.
    package convenience init(configuration: WorkerConfiguration, logger: Logger, handling: Handling) {
        let terms = EndlessTerms()
        self.init(configuration: configuration, logger: logger) { expiration, context in
            try await handling.call(expiration, context, terms, keys: configuration.logKeys)
        }
    }

    /// Runs until graceful shutdown or ``stop()``: handlers get ``WorkerConfiguration/drain`` to finish,
    /// and what this worker still has is given back to the group. When its task is cancelled, other workers
    /// claim that after ``WorkerConfiguration/claimAfter``.
    ///
    /// - Throws: ``LapseError``: a configuration that makes no sense, Redis that is not reached in time or
    ///   refuses at the start. Later failures of Redis end nothing.
    @concurrent
    public func run() async throws {
        guard !started.exchange(true, ordering: .relaxed) else {
            throw LapseError.configuration(nil, "this worker has run already; a worker runs once")
        }
        try configuration.validate()
        let worker = try RunningWorker(configuration, handler: handler, stopped: stopped, logger: logger)
        running.withLock { $0 = worker }
        do {
            try await withTaskExecutorPreference(worker.executor) {
                try await withGracefulShutdownHandler {
                    try await worker.run()
                } onGracefulShutdown: {
                    self.stop()
                }
            }
            await worker.shutDown()
        } catch {
            await worker.shutDown()
            throw error
        }
    }

    /// Leaves the group, and lets ``run()`` return. May be called at any time, more than once.
    public func stop() { stopped.open() }

    /// How things stand; nothing is in hand before Redis was reached.
    public var status: WorkerStatus {
        running.withLock { $0 }?.status
            ?? WorkerStatus(stream: configuration.stream, group: configuration.group, id: configuration.id)
    }

    /// Brings the gauges up to date.
    package func refreshMetrics() { running.withLock { $0 }?.refreshMetrics() }

    /// Whether the worker can read its partitions and its handlers end: empty, or what fails now. For a
    /// readiness probe; waits for nothing.
    public func readiness() -> [String] {
        running.withLock { $0 }?.readiness ?? ["Redis has not been reached yet"]
    }
}
