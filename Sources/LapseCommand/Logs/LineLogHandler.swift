import Glibc
import Lapse
import Logging

/// Prints log lines on stderr, each in one write, so that lines of many threads and processes never mix.
struct LineLogHandler: LogHandler {
    let format: LogLines.Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let put: @Sendable ([UInt8]) -> Void

    init(
        format: LogLines.Format, level: Logger.Level,
        put: @escaping @Sendable ([UInt8]) -> Void = { StandardError.write($0) }
    ) {
        self.format = format
        self.logLevel = level
        self.put = put
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
        if let own = event.metadata { facts.merge(own) { $1 } }
        let line = LogLine(
            time: UTCTime(milliseconds: Int64(WallClock.milliseconds())), level: event.level,
            message: event.message.description, facts: facts.map { ($0.key, $0.value.description) }.sorted { $0 < $1 })
        switch format {
        case .text: put(line.text)
        case .json: put(line.json)
        }
    }
}

/// Where errors and logs go. What cannot be written there cannot be told anywhere.
enum StandardError {
    static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
        }
    }

    static func write(_ line: String) { write(Array(line.utf8) + [UInt8(ascii: "\n")]) }
}
