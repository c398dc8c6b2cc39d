import Console
import Logging

extension OptionValues {
    /// How log lines look.
    func logFormat() throws(Failure) -> LogFormat { try self(LogLines.format) ?? .text }

    /// Sends all log lines to stderr, as the options say, and debug lines too while SIGUSR1 asks for them.
    func bootstrapLogging() throws(Failure) -> Logger {
        let format = try logFormat()
        let level = try self(LogLines.level) ?? .info
        FatalLine.use(format)
        LoggingSystem.bootstrap { _ in LineLogHandler(format: format, level: level) }
        let logger = Logger(label: "lapse")
        DebugLines.listen { areWanted in
            logger.notice("log level changed", metadata: ["level": "\(areWanted ? min(level, .debug) : level)"])
        }
        return logger
    }
}
