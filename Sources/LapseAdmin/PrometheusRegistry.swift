public import CoreMetrics
package import Lapse
import Synchronization

/// The metrics backend: keeps every series in memory and renders them as Prometheus text.
///
/// Making a series takes a lock, once; writing to it is atomic and takes none. Two makers that name the
/// same metric and labels, in whatever order, get the same series.
public final class PrometheusRegistry: MetricsFactory {
    private let families: Mutex<[String: MetricFamily]>

    /// A registry of Lapse's metrics and of all others that the program counts: hand it to
    /// `MetricsSystem.bootstrap` before anything is counted, and to ``AdminServer``.
    public convenience init() { self.init(LapseMetrics.all) }

    package init(_ declarations: [MetricDeclaration]) {
        var families: [String: MetricFamily] = [:]
        for declaration in declarations {
            var family = MetricFamily(declaration)
            if declaration.labels.isEmpty {
                // A gauge waits until it is asked for: a worker has no lease, and 0 would be a claim.
                if declaration.kind != .gauge { _ = family.series(LabelSet([])) }
            } else if let label = declaration.labels.first {
                for value in declaration.knownValues { _ = family.series(LabelSet([(label, value)])) }
            }
            families[declaration.name] = family
        }
        self.families = Mutex(families)
    }

    /// The whole page, in an order that depends on nothing but the names.
    package func render() -> String {
        let snapshot = families.withLock { $0 }
        var text = PrometheusText()
        for (_, family) in snapshot.sorted(by: { $0.key < $1.key }) { family.render(into: &text) }
        return text.text
    }

    /// Starts the counters of a label value just learnt, such as a new node, at zero, so that their first
    /// increment is seen as a rise. Gauges wait for a value: a zero would be a claim.
    package func prepare(label: String, value: String) {
        let labels = LabelSet([(label, value)])
        families.withLock { families in
            for (name, family) in families where family.isCounter(by: label) {
                _ = families[name]?.series(labels)
            }
        }
    }

    /// Drops every series with this label value, such as those of a node that left for good.
    package func forget(label: String, value: String) {
        let labels = LabelSet([(label, value)])
        families.withLock { families in
            for name in Array(families.keys) { families[name]?.remove { $0.contains(labels) } }
        }
    }

    private func series(_ label: String, _ kind: MetricDeclaration.Kind, _ dimensions: [(String, String)]) -> Series {
        let name = PrometheusText.metricName(label)
        let labels = LabelSet(dimensions)
        return families.withLock { families in
            var family = families[name] ?? MetricFamily(name: name, kind: kind)
            defer { families[name] = family }
            return family.series(labels, as: kind)
        }
    }

    private func remove(_ place: SeriesID) {
        families.withLock { $0[place.family]?.remove { $0 == place.labels } }
    }

    // MARK: - MetricsFactory

    /// The counter of this name and these labels, shared by all that ask for it.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    /// The same as ``makeCounter(label:dimensions:)``, for increments that are not whole.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    /// The gauge of this name and these labels, shared by all that ask for it.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    /// A histogram with `aggregate`, else the same gauge as ``makeMeter(label:dimensions:)``.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions) : gauge(label, dimensions)
    }

    /// A histogram of seconds, whose name ends with `_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label.hasSuffix("_seconds") ? label : label + "_seconds", dimensions)
    }

    /// Drops the series; a later counter of the same name and labels begins at zero.
    public func destroyCounter(_ handler: any CounterHandler) {
        if let series = handler as? CounterSeries { remove(series.place) }
    }

    /// Drops the series; a later counter of the same name and labels begins at zero.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        if let series = handler as? CounterSeries { remove(series.place) }
    }

    /// Drops the series.
    public func destroyMeter(_ handler: any MeterHandler) {
        if let series = handler as? GaugeSeries { remove(series.place) }
    }

    /// Drops the series.
    public func destroyRecorder(_ handler: any RecorderHandler) {
        if let series = handler as? GaugeSeries { remove(series.place) }
        if let series = handler as? HistogramSeries { remove(series.place) }
    }

    /// Drops the series; a later timer of the same name and labels begins at zero.
    public func destroyTimer(_ handler: any TimerHandler) {
        if let series = handler as? HistogramSeries { remove(series.place) }
    }

    // MARK: - Typed series

    // `series` returns the kind it was asked for, so the second branches below are never taken.

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries {
        guard case .counter(let series) = series(label, .counter, dimensions) else {
            preconditionFailure("asked for a counter")
        }
        return series
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        guard case .gauge(let series) = series(label, .gauge, dimensions) else {
            preconditionFailure("asked for a gauge")
        }
        return series
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries {
        guard case .histogram(let series) = series(label, .histogram, dimensions) else {
            preconditionFailure("asked for a histogram")
        }
        return series
    }
}
