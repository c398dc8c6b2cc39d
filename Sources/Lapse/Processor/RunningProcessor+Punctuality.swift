import LeaderElection
import Logging
import NIOPosix
import RedisClient
import Synchronization
import Timing

/// What a processor has only where it makes the servers punctual.
extension RunningProcessor {
    /// Connections of their own: renewals, marks and companions must not wait behind them.
    static func questionDirectories(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, _ threads: ProcessorThreads
    ) -> [UInt16: NodeDirectory] {
        guard let loops = threads.punctual else { return [:] }
        var directories: [UInt16: NodeDirectory] = [:]
        for database in Set(databases(configuration, deployment)) {
            var settings = deployment.settings(for: "punctual", configuration)
            settings.database = database
            // Answers are numbers and pages of keys.
            settings.replyBytes = 16 << 20
            directories[UInt16(database)] = NodeDirectory(settings: settings, on: loops)
        }
        return directories
    }

    func punctuality(_ filter: KeyFilter, _ canaries: Canaries?) -> Punctuality? {
        guard let loops = threads.punctual else { return nil }
        return Punctuality(
            .init(
                tracks: configuration.punctual == .track, filter: filter,
                // More than one would need a pass for each.
                pattern: configuration.match.count == 1 ? configuration.match[0] : nil, directories: questions,
                hintSettings: deployment.settings(for: "hints", configuration), loop: loops.any(), watch: watch,
                notifications: { [weak self] address in
                    self?.feedStatuses(of: address).lazy.compactMap(\.notifications).first
                }, process: { [weak self] in self?.processListenedTo(at: $0) }, canaries: canaries, metrics: metrics,
                logger: logger), bytes: configuration.punctualBytes)
    }

    /// Each second: what is kept, and whether something could not be.
    func watchDeadlines(_ parts: Parts) {
        guard let punctuality = parts.punctuality else { return }
        for (node, figures) in punctuality.takeFigures() {
            metrics.deadlines(node, kept: figures.kept, uncovered: figures.uncovered)
            let now = SystemClock.read().monotonic
            guard figures.uncovered > 0,
                let count = uncoveredLine.withLock({ $0.happened(UInt64(figures.uncovered), now: now) })
            else { continue }
            logger.warning(
                "deadlines not kept: these expirations come when a sweep finds them",
                metadata: [
                    "node": "\(node)", "count": .stringConvertible(count), "kept": .stringConvertible(figures.kept),
                    "bytes": .stringConvertible(figures.bytes),
                    "fix": "raise --punctual-bytes, or want fewer keys (--match)",
                ])
        }
    }
}
