import Hummingbird
import HummingbirdCore
public import Lapse
public import Logging
import NIOCore
public import ServiceLifecycle

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The admin port: health, metrics and status over HTTP, until the service is told to stop.
///
/// ```swift
/// let registry = PrometheusRegistry()
/// MetricsSystem.bootstrap(registry)
/// let admin = AdminServer(processor, port: 9464, registry: registry, logger: logger)
/// let group = ServiceGroup(services: [admin, processor], gracefulShutdownSignals: [.sigterm], logger: logger)
/// ```
///
/// It answers `GET /` (a page), `/livez`, `/readyz`, `/metrics` and `/status`, changes nothing, and
/// knows no authentication: listen on an address that only authorised clients reach.
public struct AdminServer: Service {
    /// The port could not be opened; the description says what to do about it.
    public struct CannotListen: Error, Hashable, CustomStringConvertible {
        /// One line, with the fix.
        public let description: String
    }

    private let address: AdminAddress
    private let source: any AdminSource
    private let registry: PrometheusRegistry
    private let limits: AdminLimits
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// The admin port of a processor; nothing is opened before ``run()``.
    ///
    /// - Parameters:
    ///   - processor: whose health and status are told.
    ///   - host: the address or name to listen on.
    ///   - port: 0 to 65535; 0 takes a free one, which the log names.
    ///   - registry: what `/metrics` shows.
    ///   - logger: where its lines go.
    public init(
        _ processor: ExpirationProcessor, host: String = "127.0.0.1", port: Int, registry: PrometheusRegistry,
        logger: Logger
    ) {
        self.init(
            address: .listen(host: host, port: port), source: ProcessorAdminSource(processor), registry: registry,
            logger: logger)
    }

    /// The admin port of a worker, which `/readyz` says can read its partitions.
    ///
    /// - Parameters:
    ///   - worker: whose health and status are told.
    ///   - host: the address or name to listen on.
    ///   - port: 0 to 65535; 0 takes a free one, which the log names.
    ///   - registry: what `/metrics` shows.
    ///   - logger: where its lines go.
    public init(
        _ worker: ExpirationWorker, host: String = "127.0.0.1", port: Int, registry: PrometheusRegistry, logger: Logger
    ) {
        self.init(
            address: .listen(host: host, port: port), source: WorkerAdminSource(worker), registry: registry,
            logger: logger)
    }

    /// - Parameter onListening: gets the bound port, which for port 0 is known only then.
    package init(
        address: AdminAddress, source: any AdminSource, registry: PrometheusRegistry, limits: AdminLimits = .init(),
        logger: Logger, onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.limits = limits
        self.address = address
        self.source = source
        self.registry = registry
        self.logger = logger
        self.onListening = onListening
    }

    /// Answers until graceful shutdown or until its task is cancelled, and returns then.
    ///
    /// - Throws: ``CannotListen`` when the port cannot be opened.
    public func run() async throws {
        guard case .listen(let host, let port) = address else {
            // A service that returns would end its group.
            try? await gracefulShutdown()
            return
        }
        let feed = PageFeed(viewers: limits.viewers)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                // The plots go on without viewers; it ends with the port.
                group.addTask { await feed.run(source) }
                try await withGracefulShutdownHandler {
                    try await application(host: host, port: port, feed).run()
                } onGracefulShutdown: {
                    // An open page would keep the port from closing.
                    feed.finish()
                }
                group.cancelAll()
            }
        } catch let error as IOError {
            throw CannotListen(error, at: address)
        } catch is SocketAddressError.UnknownHost {
            throw CannotListen(
                description: "admin port \(address): no such host: choose another with --admin HOST:PORT")
        }
    }

    private func application(host: String, port: Int, _ feed: PageFeed) -> some ApplicationProtocol {
        // The requests of probes and collectors are small, and they come back soon or not at all.
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 8192, maxHeaderListSize: 16384, maxHeaderFieldCount: 64)
        let logger = logger
        let onListening = onListening
        let limits = limits
        let door = ConnectionGuard.Door(limits)
        var quiet = logger
        // The framework greets at info; the line below says it in our words.
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: AdminResponder(source: source, registry: registry, feed: feed),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        IdleStateHandler(writeTimeout: TimeAmount(limits.unread)), ConnectionGuard(door),
                    ], idleTimeout: TimeAmount(limits.idle), httpDecoderConfiguration: decoder)),
            configuration: .init(address: .hostname(host, port: port), backlog: 128),
            onServerRunning: { channel in
                let bound = AdminAddress.listen(host: host, port: channel.localAddress?.port ?? port)
                logger.info("admin port open", metadata: ["address": "\(bound)"])
                onListening(channel.localAddress?.port ?? port)
            },
            logger: quiet)
    }
}

extension AdminServer.CannotListen {
    fileprivate init(_ error: IOError, at address: AdminAddress) {
        self.description =
            switch error.errnoCode {
            case EADDRINUSE:
                "admin port \(address) is already in use: choose another with --admin HOST:PORT or --admin off"
            case EADDRNOTAVAIL:
                "admin port \(address): this machine has no such address: choose another with --admin HOST:PORT"
            case EACCES:
                "admin port \(address): permission denied: choose a port above 1023 with --admin HOST:PORT"
            default:
                "admin port \(address): \(error)"
            }
    }
}
