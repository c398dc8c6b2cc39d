import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LapseAdmin
import LapseHandlers
import Logging
import Metrics
import ServiceLifecycle
import Supervision
import Synchronization

/// `lapse work`: one of any number of workers that handle from a stream.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work", abstract: "Handle expirations from a stream, beside any number of other workers.",
        discussion: """
            The workers of a --group share the entries of the --stream: each is handled at least once, in no order across workers. \
            What a worker had that died is claimed by another after --claim-after. Attempts count as they begin, by all workers \
            together. SIGTERM drains, gives back what is left and exits with 0; another signal more than a second later exits at \
            once. Exit codes: 64 usage, 69 Redis not reached within --startup-timeout, 77 authentication or permission refused, 70 \
            internal.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Work") var working: GivenOptions<Working>
    @OptionGroup(title: "Webhook") var webhook: GivenOptions<Webhook>
    @OptionGroup(title: "Supervision") var supervising: GivenOptions<Supervising>
    @OptionGroup(title: "Logs") var logLines: GivenOptions<LogLines>

    func run() async throws {
        let values = try await OptionValues(given: connection, working, webhook, supervising, logLines)
        try Parent.take(over: values, leaseTTL: .zero)
        let logger = try values.bootstrapLogging()
        let (configuration, handler) = try Self.worker(values, environment: ProcessInfo.processInfo.environment)
        let admin = values.isGiven(Running.admin.row) ? try values(Running.admin) ?? .off : .off
        try await work(configuration, handler, admin, logger, try values.logFormat())
    }

    /// The worker and its handler, as they are asked for.
    static func worker(
        _ values: OptionValues, environment: [String: String]
    ) throws -> (WorkerConfiguration, HandlerChoice) {
        var configuration = try WorkerConfiguration(values)
        let handler = try HandlerChoice(values, configuration.shared, environment: environment, appends: false)
        if handler.isRemote { configuration.shared.outlastsOutages(values) }
        return (configuration, handler)
    }

    private func work(
        _ configuration: WorkerConfiguration, _ handler: HandlerChoice, _ admin: AdminAddress, _ logger: Logger,
        _ format: LogFormat
    ) async throws {
        let registry = PrometheusRegistry(LapseMetrics.ofWorkers)
        if admin != .off { MetricsSystem.bootstrap(registry) }
        let ending = Ending()
        let handling = handler.handling(
            .init(
                replica: configuration.id, logger: logger, keys: configuration.logKeys,
                log: logger.logLevel <= .info ? HandledLines(format, keys: configuration.logKeys) : nil,
                putLog: { await LogOutput.errors.write($0) }, onBroken: { ending.begin(because: Failure($0)) },
                followsCrash: Role.own.role == .workerAfterCrash))
        let worker = ExpirationWorker(configuration: configuration, logger: logger, handling: handling)
        ending.attach { worker.stop() }
        let trap = SignalTrap { _ in worker.stop() }
        // Without a parent nothing starts another worker: the others have what this one gives back.
        ParentLink.own?.onEnd { worker.stop() }
        let report = ServiceReport()
        report.ready()
        // For the watchdog, as long as this function runs.
        let reporting = Task { await report.run() }
        defer { reporting.cancel() }
        logger.info("lapse starts", metadata: ["id": "\(configuration.id)", "version": "\(BuildVersion.text)"])
        do {
            try await run(worker, admin, registry, logger)
        } catch {
            await handler.shutDown()
            throw error
        }
        await handler.shutDown()
        withExtendedLifetime(trap) {}
        if let failure = ending.failure { throw failure }
        logger.info("lapse has ended")
    }

    /// With its admin port, which stops last: while the worker drains, its metrics can still be read.
    private func run(
        _ worker: ExpirationWorker, _ admin: AdminAddress, _ registry: PrometheusRegistry, _ logger: Logger
    ) async throws {
        guard admin != .off else { return try await worker.run() }
        let server = AdminServer(address: admin, source: WorkerAdminSource(worker), registry: registry, logger: logger)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: server, serviceName: "admin port"),
                    // After an error, too: a port that is cancelled says so in the words of its framework.
                    .init(
                        service: worker, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: "worker"),
                ], logger: quiet)
        ).run()
    }
}
