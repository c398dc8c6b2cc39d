import LapseHandlers
import Logging
import Synchronization
import Timing

/// Lines on stderr beside the log: how the command ends, and what cannot wait for a logger. Where log
/// lines are JSON these are too, so that a reader of JSON finds nothing else.
package enum FatalLine {
    package enum Weight: Sendable {
        case warning, error, critical

        fileprivate var level: Logger.Level {
            switch self {
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
        }
    }

    /// As of the options of this process: there is one stderr.
    private static let format = Mutex(LogFormat.text)

    /// Before the options have been read: also what is wrong with them is to be JSON, if they ask for it.
    package static func lookAhead(_ arguments: [String], _ environment: [String: String]) {
        let name = "--log-format"
        var asked = environment["LAPSE_LOG_FORMAT"]
        for (index, argument) in arguments.enumerated() {
            // What follows is another program's.
            if argument == "--" { break }
            if argument == name, index + 1 < arguments.count { asked = arguments[index + 1] }
            if argument.hasPrefix(name + "=") { asked = String(argument.dropFirst(name.count + 1)) }
        }
        if let format = asked.flatMap(LogFormat.init) { use(format) }
    }

    package static func use(_ format: LogFormat) { self.format.withLock { $0 = format } }

    package static var formatInUse: LogFormat { format.withLock { $0 } }

    package static func write(_ text: String, level: Weight = .critical) {
        LogOutput.errors.put(self.text(text, level))
        // The last line of a process, whose thread may hold what must not wait long for a reader.
        if level == .critical { LogOutput.errors.flush(for: 250) }
    }

    static func text(_ text: String, _ level: Weight) -> [UInt8] {
        bytes(text, level, format.withLock { $0 }, at: WallClock.milliseconds())
    }

    static func bytes(_ text: String, _ level: Weight, _ format: LogFormat, at now: UInt64) -> [UInt8] {
        switch format {
        case .text: Array("lapse: \(text)\n".utf8)
        case .json:
            LogLine(time: UTCTime(milliseconds: Int64(now)), level: level.level, message: text, facts: []).json
        }
    }
}
