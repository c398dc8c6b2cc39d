import Console
import Logging

extension OptionValues {
    /// Sends all log lines to stderr, as the options say.
    func bootstrapLogging() throws(Failure) -> Logger {
        let format = try self(LogLines.format) ?? .text
        let level = try self(LogLines.level) ?? .info
        LoggingSystem.bootstrap { _ in LineLogHandler(format: format, level: level) }
        return Logger(label: "lapse")
    }
}
