import Logging
import RESP
import RedisClient
import Synchronization

/// Asks a node each minute what makes it late, exports how late it is expected to be, and warns once if
/// that is long. Where `--punctual` makes the node announce on time there is nothing to expect.
final class LagForecast: Sendable {
    /// A longer lag is worth a warning.
    private static let noticeable = Duration.seconds(1)
    private static let interval = Duration.seconds(60)
    private static let questions = [
        RESPCommand("INFO", "server"), RESPCommand("INFO", "keyspace"), RESPCommand("INFO", "replication"),
    ]
    private static let effort = RESPCommand("CONFIG", "GET", "active-expire-effort")

    private let address: NodeAddress
    private let command: NodeClient
    private let isPunctual: Bool
    private let questions: [RESPCommand]
    private let watch: TopologyWatch
    private let metrics: ProcessorMetrics
    private let logger: Logger
    private let state = Mutex((askedAt: ContinuousClock.Instant?.none, hasWarned: false))

    init(address: NodeAddress, _ dependencies: FeedDependencies) {
        self.address = address
        command = dependencies.commands[address]
        isPunctual = dependencies.isPunctual
        // With `off` CONFIG may be forbidden.
        questions = Self.questions + (dependencies.notifications == .off ? [] : [Self.effort])
        watch = dependencies.watch
        metrics = dependencies.metrics
        logger = dependencies.logger
    }

    /// Called each second.
    ///
    /// - Parameter runID: of the process that is listened to.
    func look(at runID: String) async {
        guard !isPunctual else { return }
        let isDue = state.withLock { state in
            let isDue = state.askedAt.map { ContinuousClock.now - $0 >= Self.interval } ?? true
            if isDue { state.askedAt = .now }
            return isDue
        }
        guard isDue, let replies = try? await command.send(questions, to: .process(runID)),
            replies.count == questions.count, let lag = Self.lag(replies)
        else { return }
        metrics.predicted(watch.current?.canonicalAddress(of: address) ?? address, lag: lag)
        guard lag > Self.noticeable else { return }
        let isNews = state.withLock { state in
            defer { state.hasWarned = true }
            return !state.hasWarned
        }
        guard isNews else { return }
        logger.warning(
            "expirations are announced late",
            metadata: [
                "node": "\(address)", "seconds": .stringConvertible((lag / .seconds(1) * 10).rounded() / 10),
                "fix": "--punctual track",
            ])
    }

    /// Nil where it is not known, and on a replica, which waits for its master.
    static func lag(_ replies: [RESPValue]) -> Duration? {
        guard infoField("role", in: replies[2]) == "master", let keyspace = replies[1].string else { return nil }
        var keys: UInt64 = 0
        for line in keyspace.split(whereSeparator: \.isNewline).prefix(10_000) where line.hasPrefix("db") {
            let field = line.split(separator: ",").first { $0.hasPrefix("expires=") }
            keys += field.flatMap { PlausibleCount.read($0.dropFirst("expires=".count)) } ?? 0
        }
        let hz = infoField("hz", in: replies[0]).flatMap { Int($0) } ?? 10
        // CONFIG may be forbidden.
        let effort = replies.dropFirst(3).first?.array?.last?.string.flatMap { Int($0) } ?? 1
        return PredictedLag.median(volatileKeys: Int(clamping: keys), hz: hz, effort: effort)
    }
}
