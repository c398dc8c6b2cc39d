package import Logging
import Timing

/// Prints log lines on stderr, each in one write, so that lines of many threads and processes never
/// mix.
package struct LineLogHandler: LogHandler {
    package let format: LogFormat
    /// While debug lines are wanted a logger whose level was not set has that one at least.
    package var logLevel: Logger.Level {
        get { isSet || !DebugLines.areWanted ? level : min(level, .debug) }
        set {
            level = newValue
            isSet = true
        }
    }
    private var level: Logger.Level
    private var isSet = false
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let put: @Sendable ([UInt8]) -> Void

    package init(
        format: LogFormat, level: Logger.Level,
        put: @escaping @Sendable ([UInt8]) -> Void = { LogOutput.errors.put($0) }
    ) {
        self.format = format
        self.level = level
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
            message: event.message.description, facts: facts.map { ($0.key, $0.value.description) }.sorted { $0 < $1 },
            numbers: format == .json ? Set(facts.lazy.filter(\.value.isNumber).map(\.key)) : [])
        switch format {
        case .text: put(line.text)
        case .json: put(line.json)
        }
    }
}

extension Logger.MetadataValue {
    /// Whether it was given as a number, and not as text that looks like one.
    fileprivate var isNumber: Bool {
        guard case .stringConvertible(let value) = self else { return false }
        return value is any BinaryInteger
    }
}

/// How log lines look.
package enum LogFormat: String, CaseIterable, Sendable { case text, json }
