import Lapse

/// All series of one metric name, which have one kind.
struct MetricFamily: Sendable {
    let declaration: MetricDeclaration
    private var members: [LabelSet: Series] = [:]
    /// Kinds that some caller asked for and that this family does not have.
    private var refused: Set<MetricDeclaration.Kind> = []

    init(_ declaration: MetricDeclaration) {
        self.declaration = declaration
    }

    /// For metrics of other libraries, which are not declared here.
    init(name: String, kind: MetricDeclaration.Kind) {
        self.init(
            MetricDeclaration(
                name: name, kind: kind, labels: [], help: "", buckets: MetricDeclaration.durations, knownValues: []))
    }

    func isCounter(by label: String) -> Bool {
        declaration.kind == .counter && declaration.labels == [label]
    }

    mutating func series(_ labels: LabelSet) -> Series {
        if let known = members[labels] { return known }
        let new = Series(declaration.kind, place: SeriesID(family: declaration.name, labels: labels), declaration)
        members[labels] = new
        return new
    }

    /// A series of the kind asked for. When the family has another kind, it is one that is never shown:
    /// a page with two kinds under a name would be refused as a whole. The page says so in a comment.
    mutating func series(_ labels: LabelSet, as kind: MetricDeclaration.Kind) -> Series {
        if kind == declaration.kind { return series(labels) }
        refused.insert(kind)
        return Series(kind, place: SeriesID(family: "", labels: labels), declaration)
    }

    mutating func remove(where matches: (LabelSet) -> Bool) {
        members = members.filter { !matches($0.key) }
    }

    func render(into text: inout PrometheusText) {
        for kind in refused.sorted(by: { $0.rawValue < $1.rawValue }) {
            text.comment(
                "\(declaration.name) is a \(declaration.kind.rawValue), but was also asked for as a \(kind.rawValue)")
        }
        guard !members.isEmpty else { return }
        text.header(declaration.name, kind: declaration.kind, help: declaration.help)
        for (_, series) in members.sorted(by: { $0.key < $1.key }) { series.render(into: &text) }
    }
}

/// One line of a counter or gauge, or the lines of one histogram.
enum Series: Sendable {
    case counter(CounterSeries)
    case gauge(GaugeSeries)
    case histogram(HistogramSeries)

    init(_ kind: MetricDeclaration.Kind, place: SeriesID, _ declaration: MetricDeclaration) {
        self =
            switch kind {
            case .counter: .counter(CounterSeries(place: place))
            case .gauge: .gauge(GaugeSeries(place: place))
            case .histogram: .histogram(HistogramSeries(place: place, bounds: declaration.buckets))
            }
    }

    func render(into text: inout PrometheusText) {
        switch self {
        case .counter(let series): series.render(into: &text)
        case .gauge(let series): series.render(into: &text)
        case .histogram(let series): series.render(into: &text)
        }
    }
}
