import Console
import Lapse
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Timing

/// The way into Redis for subcommands that look and take no part in the election.
final class RedisAccess: Sendable {
    let deployment: Deployment
    private let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Keeps time for callers that wait.
    var loop: any EventLoop { loops.any() }
    /// Connections for commands, one for each node.
    let nodes: NodeDirectory
    let watch: TopologyWatch
    private let sentinels: NodeDirectory
    private let startupTimeout: Duration?
    private let logger: Logger

    init(_ configuration: ProcessorConfiguration, logger: Logger) throws(Failure) {
        do { deployment = try Deployment(configuration) } catch { throw Failure(error) }
        nodes = NodeDirectory(settings: deployment.settings, on: loops)
        sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: loops)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: nodes, sentinels: sentinels, on: loops.any(), logger: logger)
        startupTimeout = configuration.startupTimeout
        self.logger = logger
    }

    /// Finds the servers, trying again until the startup timeout or for ever.
    ///
    /// - Parameter standard: the startup timeout where no option says one.
    func discover(within standard: Duration? = .seconds(5)) async throws(Failure) -> Topology {
        let deadline = (startupTimeout ?? standard).map { ContinuousClock.now + $0 }
        let bell = Doorbell(on: loops.any())
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        while true {
            do throws(RedisError) {
                return try await watch.discover()
            } catch {
                if let impossible = ImpossibleSettings.explain(error) { throw Failure(impossible) }
                // Without a timeout that was asked for, a refusal is told at once.
                let isFinal = error.isPermanent || error.kind == .protocolViolation
                if isFinal, startupTimeout == nil { throw Failure(error) }
                let left = deadline.map { $0 - .now } ?? .seconds(60)
                guard left > .zero else { throw Failure(error) }
                if told != error.description {
                    told = error.description
                    if let waiting = standard.map({ startupTimeout ?? $0 }) {
                        FatalLine.write("waiting for Redis, at most \(waiting): \(error)", level: .warning)
                    } else {
                        logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                    }
                }
                if await bell.wait(upTo: min(backoff.next(), left)) == .cancelled { throw Failure(error) }
            }
        }
    }

    /// Refuses what can never work on these servers.
    func check(_ configuration: ProcessorConfiguration, _ topology: Topology) async throws(Failure) {
        do { try await ImpossibleSettings(configuration, deployment, nodes: nodes).check(topology) } catch {
            throw Failure(error)
        }
    }

    /// Closes every connection.
    func shutDown() async {
        await nodes.shutDown()
        await sentinels.shutDown()
        // Nothing is left to fail on a group whose channels are closed.
        try? await loops.shutdownGracefully()
    }
}
