import Metrics

/// What a metric is, said once and before its first value: kind, labels, help text, buckets, and the
/// series that must read zero from the start (an absent series cannot be seen to rise).
package struct MetricDeclaration: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package let name: String
    package let kind: Kind
    package let labels: [String]
    package let help: String
    /// Upper bounds in rising order; `+Inf` is implied.
    package let buckets: [Double]
    /// For a metric with one label whose values are known beforehand.
    package let knownValues: [String]

    package init(
        name: String, kind: Kind, labels: [String] = [], help: String = "", buckets: [Double] = [],
        knownValues: [String] = []
    ) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
        self.buckets = buckets
        self.knownValues = knownValues
    }

    package static func counter(_ name: String, by label: String? = nil, of values: [String] = [], _ help: String)
        -> Self
    {
        Self(name: name, kind: .counter, labels: label.map { [$0] } ?? [], help: help, buckets: [], knownValues: values)
    }

    package static func gauge(_ name: String, by label: String? = nil, of values: [String] = [], _ help: String)
        -> Self
    {
        Self(name: name, kind: .gauge, labels: label.map { [$0] } ?? [], help: help, buckets: [], knownValues: values)
    }

    package static func gauge(_ name: String, byAll labels: [String], _ help: String) -> Self {
        Self(name: name, kind: .gauge, labels: labels, help: help, buckets: [], knownValues: [])
    }

    package static func histogram(_ name: String, buckets: [Double] = Self.durations, _ help: String) -> Self {
        Self(name: name, kind: .histogram, labels: [], help: help, buckets: buckets, knownValues: [])
    }

    /// Seconds, from one fast Redis command to a slow webhook.
    package static let durations: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
}

extension MetricDeclaration {
    /// Its instrument for these values of its labels, in their order.
    func gauge(_ values: String...) -> Gauge { Gauge(label: name, dimensions: dimensions(.gauge, values)) }
    func counter(_ values: String...) -> Counter { Counter(label: name, dimensions: dimensions(.counter, values)) }
    func timer(_ values: String...) -> Timer { Timer(label: name, dimensions: dimensions(.histogram, values)) }

    private func dimensions(_ kind: Kind, _ values: [String]) -> [(String, String)] {
        precondition(kind == self.kind && values.count == labels.count, "\(name) is a \(self.kind) by \(labels)")
        return Array(zip(labels, values))
    }
}
