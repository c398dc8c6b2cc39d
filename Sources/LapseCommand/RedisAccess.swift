import Console
import Lapse
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
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
    /// What has been said of a wait for the servers, until one answers.
    private let told = Mutex<Set<String>>([])

    init(_ configuration: ProcessorConfiguration, logger: Logger) throws(Failure) {
        do { deployment = try Deployment(configuration) } catch { throw Failure(error) }
        nodes = NodeDirectory(settings: deployment.settings, on: loops)
        sentinels = NodeDirectory(settings: deployment.sentinelSettings, on: loops)
        watch = TopologyWatch(
            seeds: deployment.seeds, nodes: nodes, sentinels: sentinels, on: loops.any(), logger: logger)
        startupTimeout = configuration.startupTimeout
        self.logger = logger
    }

    /// Finds the servers, trying again until the startup timeout or for ever. A wait of more than a second
    /// is told.
    ///
    /// - Parameters:
    ///   - standard: the startup timeout where no option says one.
    ///   - most: what is left of the caller's time.
    func discover(
        within standard: Duration? = .seconds(5), atMost most: Duration? = nil
    ) async throws(Failure) -> Topology {
        let limit = [startupTimeout ?? standard, most].compactMap(\.self).min()
        let deadline = limit.map { ContinuousClock.now + $0 }
        let bell = Doorbell(on: loops.any())
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        // Where connections are taken and nothing is said, an attempt takes seconds to fail.
        let notice = loop.scheduleTask(in: .seconds(1)) { [self] in
            tellOfWait("no answer yet from \(deployment.seeds.summary)", standard == nil ? nil : limit)
        }
        defer { notice.cancel() }
        while true {
            do throws(RedisError) {
                let topology = try await watch.discover()
                told.withLock { $0 = [] }
                return topology
            } catch {
                notice.cancel()
                if let impossible = ImpossibleSettings.explain(error) { throw Failure(impossible) }
                // Without a timeout that was asked for, a refusal is told at once.
                let isFinal = error.isPermanent || error.kind == .protocolViolation
                if isFinal, startupTimeout == nil { throw Failure(error) }
                let left = deadline.map { $0 - .now } ?? .seconds(60)
                guard left > .zero else { throw Failure(error) }
                tellOfWait(error.description, standard == nil ? nil : limit)
                if await bell.wait(upTo: min(backoff.next(), left)) == .cancelled { throw Failure(error) }
            }
        }
    }

    /// Says once why it waits: callers that look again and again come here as often.
    ///
    /// - Parameter limit: nil for a caller that waits for ever, and has a log.
    private func tellOfWait(_ reason: String, _ limit: Duration?) {
        let isNew = told.withLock { told in
            if told.count >= 64 { told = [] }
            return told.insert(reason).inserted
        }
        guard isNew else { return }
        guard let limit else { return logger.warning("waiting for Redis", metadata: ["error": "\(reason)"]) }
        let whole = Duration.milliseconds(Int64((limit / .milliseconds(1)).rounded(.up)))
        FatalLine.write("waiting for Redis, at most \(whole): \(reason)", level: .warning)
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
