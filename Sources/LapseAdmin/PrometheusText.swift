import Lapse

/// The Prometheus text format, version 0.0.4, as it is being written.
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    mutating func header(_ name: String, kind: MetricDeclaration.Kind, help: String) {
        if !help.isEmpty {
            text += "# HELP \(name) \(Self.escapedHelp(help))\n"
        }
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A remark for people; collectors skip it.
    mutating func comment(_ remark: String) {
        text += "# \(remark)\n"
    }

    mutating func sample(_ name: String, labels: LabelSet, count: UInt64) {
        sample(name, labels: labels, printed: String(count))
    }

    mutating func sample(_ name: String, labels: LabelSet, value: Double) {
        sample(name, labels: labels, printed: Self.number(value))
    }

    private mutating func sample(_ name: String, labels: LabelSet, printed: String) {
        text += name
        if !labels.text.isEmpty { text += "{\(labels.text)}" }
        text += " \(printed)\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Whole numbers without ".0", as far as a Double counts exactly.
        if let whole = Int64(exactly: value), abs(value) < 9_007_199_254_740_992 { return String(whole) }
        return value.description
    }

    static func escapedLabelValue(_ value: String) -> String {
        escaped(value, quote: true)
    }

    static func escapedHelp(_ help: String) -> String {
        escaped(help, quote: false)
    }

    private static func escaped(_ value: String, quote: Bool) -> String {
        var result = ""
        // By scalar: as characters, CR LF would be one and slip through.
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func metricName(_ name: String) -> String { sanitized(name, allowingColon: true) }
    static func labelName(_ name: String) -> String { sanitized(name, allowingColon: false) }

    /// Other libraries name metrics with dots and dashes; Prometheus knows letters, digits and underscores.
    private static func sanitized(_ name: String, allowingColon: Bool) -> String {
        var result = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": result.unicodeScalars.append(scalar)
            case ":" where allowingColon: result.unicodeScalars.append(scalar)
            case "0"..."9":
                if result.isEmpty { result += "_" }
                result.unicodeScalars.append(scalar)
            default: result += "_"
            }
        }
        return result.isEmpty ? "_" : result
    }
}
