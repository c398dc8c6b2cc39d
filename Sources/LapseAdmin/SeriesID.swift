/// Where a series stands: the family's name and its own labels.
struct SeriesID: Sendable, Hashable {
    let family: String
    let labels: LabelSet
}

/// The labels of a series in their one canonical form, which is also how they are printed:
/// `a="1",b="2"`.
///
/// Order does not matter, an empty value is the same as no label, and of a name given twice the last
/// one counts.
struct LabelSet: Sendable, Hashable, Comparable {
    private(set) var text: String

    init(_ dimensions: [(String, String)]) {
        var values: [String: String] = [:]
        for (name, value) in dimensions {
            var name = PrometheusText.labelName(name)
            // A histogram prints `le` itself.
            if name == "le" { name = "exported_le" }
            values[name] = value.isEmpty ? nil : value
        }
        text = values.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(PrometheusText.escapedLabelValue($0.value))\"" }
            .joined(separator: ",")
    }

    func adding(_ name: String, _ value: String) -> LabelSet {
        var copy = self
        copy.text += (text.isEmpty ? "" : ",") + "\(name)=\"\(value)\""
        return copy
    }

    /// Whether this label and this value are among them.
    func contains(_ other: LabelSet) -> Bool {
        guard !other.text.isEmpty else { return false }
        // The guard commas keep `b="1"` from matching the tail of `ab="1"`; a quote inside a value is escaped.
        return ",\(text),".contains(",\(other.text),")
    }

    static func < (left: LabelSet, right: LabelSet) -> Bool { left.text < right.text }
}
