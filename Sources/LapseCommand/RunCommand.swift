import ArgumentParser
import Console
import FoundationEssentials
import Glibc
import Lapse
import LapseAdmin
import LapseHandlers
import LeaderElection
import Logging
import Metrics
import ServiceLifecycle
import Supervision
import Synchronization

/// `lapse run`: the service.
struct RunCommand: AsyncParsableCommand, SupervisedCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "The service: subscribe to every node, elect a leader, handle expirations.",
        discussion: """
            Examples:
              lapse run --redis redis://10.0.0.1:6379,redis://10.0.0.2:6379 --name sessions --match 'session:*'
              lapse run --redis-password-file /etc/lapse/password --exec '/usr/local/bin/expired'
              lapse run --stream expired --partitions 4      for any number of: lapse work --stream expired --group g

            Replicas with the same --name form one group: one of them leads and handles, the others stand by with the \
            same log. SIGTERM drains, hands over and exits with 0; another signal more than a second later exits at once. Exit codes: 64 usage, \
            69 Redis not reached within --startup-timeout, 77 authentication or permission refused, 70 internal.
            """)

    @OptionGroup var options: RunOptionGroups

    func values() async throws(Failure) -> OptionValues { try await options.values() }

    func run() async throws {
        let values = try await values()
        try Parent.take(over: values, leaseTTL: try values(Candidacy.leaseTTL) ?? .seconds(8))
        let logger = try values.bootstrapLogging()
        var configuration = try ProcessorConfiguration(values)
        configuration.witness = ParentLink.own
        let handler = try HandlerChoice(values, configuration, environment: ProcessInfo.processInfo.environment)
        let admin = try values(Running.admin) ?? .off
        if handler.isRemote { configuration.outlastsOutages(values) }
        // Last: a later throw would have to shut it down.
        let options = try StoreOptions(values)
        configuration.store = try options.open(
            election: ElectionConfiguration(
                name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL), logger: logger)
        if let store = configuration.store { try await options.check(store, configuration.name) }
        let format = try values.logFormat()
        try await RunningService(configuration, handler: handler, admin: admin, logger: logger, format: format).run()
    }
}

/// A processor and its admin port, until a signal or a failure ends them.
struct RunningService {
    private let configuration: ProcessorConfiguration
    private let handler: HandlerChoice
    private let admin: AdminAddress
    private let logger: Logger
    private let format: LogFormat

    init(
        _ configuration: ProcessorConfiguration, handler: HandlerChoice, admin: AdminAddress, logger: Logger,
        format: LogFormat
    ) {
        var configuration = configuration
        configuration.onOverrun = { term in
            let error = LapseError.handlerOverran(term: term)
            FatalLine.write("\(error): ending, so that it cannot go on")
            _exit(Failure.Code.internal.rawValue)
        }
        self.configuration = configuration
        self.handler = handler
        self.admin = admin
        self.logger = logger
        self.format = format
    }

    func run() async throws {
        let registry = PrometheusRegistry()
        if admin != .off { MetricsSystem.bootstrap(registry) }
        let ending = Ending()
        let handling = handler.handling(
            .init(
                replica: configuration.id, logger: logger, keys: configuration.logKeys,
                log: logger.logLevel <= .info ? HandledLines(format, keys: configuration.logKeys) : nil,
                putLog: { await LogOutput.errors.write($0) }, onBroken: { ending.begin(because: Failure($0)) },
                followsCrash: Role.own.role == .workerAfterCrash))
        let processor = ExpirationProcessor(
            configuration: configuration, logger: logger, handling: handling)
        // The last one stops first: while the processor drains, its metrics can still be read.
        var services = [ServiceGroupConfiguration.ServiceConfiguration]()
        if admin != .off {
            let server = AdminServer(
                address: admin, source: ProcessorAdminSource(processor), registry: registry, logger: logger)
            services.append(.init(service: server, serviceName: "admin port"))
        }
        // After an error, too: an admin port that is cancelled says so in the words of its framework.
        services.append(
            .init(
                service: processor, successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: "processor"))
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(configuration: .init(services: services, logger: quiet))
        ending.attach {
            // At once, even if handlers have taken every thread that tasks run on; and before Redis was reached.
            processor.stop()
            // A signal has no task to wait in; the group that it ends is awaited below.
            Task { await group.triggerGracefulShutdown() }
        }
        let trap = SignalTrap { _ in ending.begin() }
        // A parent that is gone releases nothing: another replica leads, which has one.
        ParentLink.own?.onEnd { ending.begin() }
        let report = ServiceReport()
        report.ready()
        let reporting = Task { await report.run() }
        defer { reporting.cancel() }
        logger.info(
            "lapse starts",
            metadata: ["name": "\(configuration.name)", "id": "\(configuration.id)", "version": "\(BuildVersion.text)"])
        do {
            try await group.run()
        } catch is CancellationError where trap.signal != nil || ParentLink.own?.hasEnded == true {
            // Stopped in the middle of a wait, as asked.
        } catch let error as LapseError
            where error.code == .unreachable && (trap.signal != nil || ParentLink.own?.hasEnded == true)
        {
            // Stopped before Redis was ever reached: there is nothing to hand over.
        }
        await handler.shutDown()
        if let failure = ending.failure { throw failure }
        logger.info("lapse has ended")
    }
}
