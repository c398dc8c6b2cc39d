import LapseHandlers
package import Logging
package import Timing

/// One event of the log, ready to be printed.
package struct LogLine: Sendable {
    package let time: UTCTime
    package let level: Logger.Level
    package let message: String
    /// Sorted by name.
    package let facts: [(name: String, value: String)]

    /// Names of facts that are numbers in JSON too.
    package let numbers: Set<String>

    package init(
        time: UTCTime, level: Logger.Level, message: String, facts: [(name: String, value: String)],
        numbers: Set<String> = []
    ) {
        self.time = time
        self.level = level
        self.message = message
        self.facts = facts
        self.numbers = numbers
    }

    /// `2026-01-02T03:04:05.678Z info  became leader  term=5 tookMs=12`, with a newline.
    package var text: [UInt8] {
        var line = time.text + " "
        line += level.rawValue.padded(to: 5) + " " + Printable.text(message)
        var separator = "  "
        for (name, value) in facts {
            line += separator + Printable.text(name) + "=" + Printable.quoted(value)
            separator = " "
        }
        return Array(line.utf8) + [UInt8(ascii: "\n")]
    }

    /// `{"time":"…","level":"info","message":"became leader","term":5}`, with a newline.
    package var json: [UInt8] {
        var line = JSONLine()
        line.add("time", time)
        line.add("level", level.rawValue)
        line.add("message", message)
        for (name, value) in facts {
            // The three above are ours; two fields of one name would be read either way.
            let name = ["time", "level", "message"].contains(name) ? "\(name)_" : name
            if numbers.contains(name), let number = Int64(value) {
                line.add(named: name, number)
            } else {
                line.add(named: name, value)
            }
        }
        return line.finish()
    }
}

extension String {
    /// With spaces behind it, up to a width.
    package func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
