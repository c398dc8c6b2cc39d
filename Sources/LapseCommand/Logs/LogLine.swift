import Lapse
import LapseHandlers
import Logging
import Timing

/// One event of the log, ready to be printed.
struct LogLine: Sendable {
    let time: UTCTime
    let level: Logger.Level
    let message: String
    /// Sorted by name.
    let facts: [(name: String, value: String)]

    /// `2026-01-02T03:04:05.678Z info  became leader  term=5 took-ms=12`, with a newline.
    var text: [UInt8] {
        var line = time.text + " "
        line += level.rawValue.padded(to: 5) + " " + Printable.text(message)
        var separator = "  "
        for (name, value) in facts {
            line += separator + Printable.text(name) + "=" + Printable.quoted(value)
            separator = " "
        }
        return Array(line.utf8) + [UInt8(ascii: "\n")]
    }

    /// `{"time":"…","level":"info","message":"became leader","term":"5"}`, with a newline.
    var json: [UInt8] {
        var line = JSONLine()
        line.add("time", time)
        line.add("level", level.rawValue)
        line.add("message", message)
        for (name, value) in facts {
            // The three above are ours; two fields of one name would be read either way.
            line.add(named: ["time", "level", "message"].contains(name) ? "\(name)_" : name, value)
        }
        return line.finish()
    }
}

extension String {
    /// With spaces behind it, up to a width.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
