/// A row of the table with the type of its value.
struct Setting<Value: Sendable>: Sendable {
    let row: OptionRow
    /// Reads one value from a text, wherever it came from.
    let read: @Sendable (String) throws(Malformed) -> Value
}

/// What is wrong with a value, and what would be right: `is no duration: write 250ms, 8s, 2m or 1h`.
struct Malformed: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

extension Setting where Value == String {
    static func text(_ row: OptionRow) -> Self {
        Setting(row: row) { text throws(Malformed) in
            guard !text.isEmpty else { throw Malformed("is empty") }
            return text
        }
    }
}

extension Setting where Value == Bool {
    static func flag(_ name: String, _ help: String) -> Self {
        Setting(row: OptionRow(name: name, arity: .flag, help: help, standard: "false")) { text throws(Malformed) in
            switch text.lowercased() {
            case "true", "yes", "1": return true
            case "false", "no", "0": return false
            default: throw Malformed("is neither true nor false")
            }
        }
    }
}

extension Setting where Value == Int {
    static func number(_ row: OptionRow, _ range: ClosedRange<Int>) -> Self {
        Setting(row: row) { text throws(Malformed) in
            guard let number = Int(text), range.contains(number) else {
                throw Malformed("is no whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    static func size(_ row: OptionRow) -> Self {
        Setting(row: row) { text throws(Malformed) in
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let shifts = ["": 0, "b": 0, "kib": 10, "kb": 10, "mib": 20, "mb": 20, "gib": 30, "gb": 30]
            guard let number = Int(digits), let shift = shifts[text.dropFirst(digits.count).lowercased()],
                number <= Int.max >> (shift + 1)
            else { throw Malformed("is no size: write 64MiB, 512KiB, 1GiB or a number of bytes") }
            return number << shift
        }
    }
}

extension Setting where Value == Duration {
    static func duration(_ row: OptionRow) -> Self {
        Setting(row: row) { text throws(Malformed) in
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let milliseconds = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000]
            // A year is longer than anything here should take, and far from any overflow.
            guard let number = Int64(digits), let unit = milliseconds[String(text.dropFirst(digits.count))],
                number <= 31_536_000_000 / Int64(unit)
            else { throw Malformed("is no duration: write 250ms, 8s, 2m or 1h") }
            return .milliseconds(number * Int64(unit))
        }
    }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static func choice(_ row: OptionRow) -> Self {
        var row = row
        row.value = Value.allCases.map(\.rawValue).joined(separator: "|")
        row.completion = .choices(Value.allCases.map(\.rawValue))
        let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Setting(row: row) { text throws(Malformed) in
            guard let value = Value(rawValue: text) else { throw Malformed("is none of \(choices)") }
            return value
        }
    }
}
