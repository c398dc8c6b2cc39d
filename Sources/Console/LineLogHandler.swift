package import Logging
import Timing

/// Prints log lines on stderr, each in one write, so that lines of many threads and processes never mix.
package struct LineLogHandler: LogHandler {
    package let format: LogFormat
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let put: @Sendable ([UInt8]) -> Void

    package init(
        format: LogFormat, level: Logger.Level,
        put: @escaping @Sendable ([UInt8]) -> Void = { StandardStream.errors.write($0) }
    ) {
        self.format = format
        self.logLevel = level
        self.put = put
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
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

/// How log lines look.
package enum LogFormat: String, CaseIterable, Sendable { case text, json }
