import Console
import Logging

extension OptionValues {
    /// How log lines look.
    func logFormat() throws(Failure) -> LogFormat { try self(LogLines.format) ?? .text }

    /// Sends all log lines to stderr, as the options say.
    func bootstrapLogging() throws(Failure) -> Logger {
        let format = try logFormat()
        let level = try self(LogLines.level) ?? .info
        FatalLine.use(format)
        LoggingSystem.bootstrap { _ in LineLogHandler(format: format, level: level) }
        return Logger(label: "lapse")
    }
}
