import Logging
import Synchronization

/// What was logged, as `message key=value …`, in the order of the keys.
final class CapturedLog: Sendable {
    private let book = Mutex<[String]>([])

    var lines: [String] { book.withLock { $0 } }

    func lines(_ message: String) -> [String] { lines.filter { $0.hasPrefix(message) } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            log.book.withLock { $0.append("\(event.message)\(facts.joined())") }
        }
    }
}
