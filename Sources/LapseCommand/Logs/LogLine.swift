import Lapse
import Logging

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
        line += level.rawValue.padded(to: 5) + " " + Self.printable(message)
        var separator = "  "
        for (name, value) in facts {
            line += separator + Self.printable(name) + "=" + Self.quoted(value)
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

    /// Quoted when a reader could not tell where the value ends.
    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && !value.unicodeScalars.contains { $0.value <= 0x20 || $0 == "\"" || $0 == "=" }
        return isPlain ? printable(value) : "\"" + printable(value, escaping: "\"") + "\""
    }

    /// Keys come from anywhere: nothing in them may end the line or steer a terminal.
    private static func printable(_ text: String, escaping quote: Unicode.Scalar? = nil) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\\" where quote != nil: result += "\\\\"
            case quote: result += "\\\""
            case _ where scalar.properties.generalCategory == .control, "\u{2028}", "\u{2029}":
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension String {
    /// With spaces behind it, up to a width.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
