import Logging
import RedisClient
import Synchronization
import Timing

/// What is told of a stream: each kind at once, and then once in a while.
final class StreamLog: Sendable {
    private struct Lines {
        var trouble: [String: LineLimit] = [:]
        var untrimmed: [String: LineLimit] = [:]
        var uncertain = LineLimit(every: .seconds(10))
        var vanished = LineLimit(every: .seconds(10))
        var layout = LineLimit(every: .seconds(60))
        var unread = LineLimit(every: .seconds(10))
    }

    private let stream: String
    private let metrics: ProcessorMetrics
    private let logger: Logger
    private let lines = Mutex(Lines())

    init(_ stream: String, _ metrics: ProcessorMetrics, _ logger: Logger) {
        self.stream = stream
        self.metrics = metrics
        self.logger = logger
    }

    func tell(_ partition: StreamPartition, _ news: StreamPartition.News) {
        let now = SystemClock.read().monotonic
        switch news {
        case .appended(let answer):
            metrics.streamed(answer)
            guard answer.uncertain + answer.vanished + answer.unread > 0 else { return }
            let told = lines.withLock { lines in
                (
                    answer.uncertain > 0 ? lines.uncertain.happened(answer.uncertain, now: now) : nil,
                    answer.vanished > 0 ? lines.vanished.happened(answer.vanished, now: now) : nil,
                    answer.unread > 0 ? lines.unread.happened(answer.unread, now: now) : nil
                )
            }
            if let count = told.0 {
                say("numbers cannot be trusted: appended as uncertain", partition, count)
            }
            if let count = told.1 {
                say("entries have vanished: another client trimmed or deleted them", partition, count)
            }
            if let count = told.2 {
                say("--stream-maxlen took entries that no worker had read", partition, count)
            }
        case .trouble(let error?):
            metrics.streamRefused()
            say(error, partition, now)
        case .silent(let error): say(error, partition, now)
        case .trouble(nil):
            let wasTold = lines.withLock { $0.trouble.removeValue(forKey: partition.key) != nil }
            if wasTold { logger.notice("stream is appended to again", metadata: ["stream": "\(partition.key)"]) }
        case .untrimmed(let error):
            let isDue = lines.withLock { lines in
                lines.untrimmed[partition.key, default: LineLimit(every: .seconds(60))].happened(now: now) != nil
            }
            guard isDue else { return }
            logger.warning(
                "stream is not trimmed",
                metadata: [
                    "stream": "\(partition.key)", "error": "\(error)",
                    "fix": "\(error.fix(forStream: partition.key))",
                ])
        case .behind(let missing):
            logger.warning(
                "a promoted server lacks the last entries: they are appended first",
                metadata: ["stream": "\(partition.key)", "missing": .stringConvertible(missing)])
        case .rolledBack(let missing, let again):
            let lost = missing - min(missing, again)
            metrics.streamRolledBack(again: again, lost: lost)
            logger.log(
                level: lost > 0 ? .error : .warning, "a promoted server lacked the last entries",
                metadata: [
                    "stream": "\(partition.key)", "missing": .stringConvertible(missing),
                    "appendedAgain": .stringConvertible(again), "lost": .stringConvertible(lost),
                ])
        }
    }

    func tell(layout error: any Error) {
        let now = SystemClock.read().monotonic
        guard lines.withLock({ $0.layout.happened(now: now) }) != nil else { return }
        logger.error(
            "partitions of the stream not known: nothing is appended",
            metadata: ["stream": "\(stream)", "error": "\(error)"])
    }

    private func say(_ error: RedisError, _ partition: StreamPartition, _ now: Duration) {
        let isDue = lines.withLock { lines in
            lines.trouble[partition.key, default: LineLimit(every: .seconds(60))].happened(now: now) != nil
        }
        if isDue { Self.say(error, partition.key, logger) }
    }

    private func say(_ text: Logger.Message, _ partition: StreamPartition, _ count: UInt64) {
        logger.error(text, metadata: ["stream": "\(partition.key)", "count": .stringConvertible(count)])
    }

    static func say(_ error: RedisError, _ key: String, _ logger: Logger) {
        logger.error(
            "stream cannot be appended to",
            metadata: ["stream": "\(key)", "error": "\(error)", "fix": "\(error.fix(forStream: key))"])
    }
}
