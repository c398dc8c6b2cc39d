import CoreMetrics
import Synchronization

/// A histogram: an observation is two atomic additions, to its bucket and to the sum.
///
/// The count is the sum of the buckets, so that a page rendered during an observation still agrees with
/// itself.
final class HistogramSeries: RecorderHandler, TimerHandler {
    let place: SeriesID
    private let bounds: [Double]
    /// One more than `bounds`: the last is `+Inf`.
    private let buckets: [Bucket]
    private let sum = Atomic<Double>(0)

    /// A box, for an array cannot hold an atomic itself.
    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

    init(place: SeriesID, bounds: [Double]) {
        self.place = place
        self.bounds = bounds
        self.buckets = (0...bounds.count).map { _ in Bucket() }
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        // One NaN or infinity would spoil the sum for the life of the process.
        guard value.isFinite else { return }
        // A few bounds, and most observations fall low: walking beats halving.
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    func recordNanoseconds(_ duration: Int64) {
        record(Double(max(0, duration)) / 1e9)
    }

    func render(into text: inout PrometheusText) {
        var total: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            total += bucket.count.load(ordering: .relaxed)
            let bound = index < bounds.count ? PrometheusText.number(bounds[index]) : "+Inf"
            text.sample(place.family + "_bucket", labels: place.labels.adding("le", bound), count: total)
        }
        text.sample(place.family + "_sum", labels: place.labels, value: sum.load(ordering: .relaxed))
        text.sample(place.family + "_count", labels: place.labels, count: total)
    }
}
