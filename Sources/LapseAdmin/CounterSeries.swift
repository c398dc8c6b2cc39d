import CoreMetrics
import Synchronization

/// A counter: one atomic addition per increment, never falling between resets.
///
/// Whole and fractional increments are kept apart, so that a count of integers stays exact.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    let place: SeriesID
    private let whole = Atomic<UInt64>(0)
    private let fractional = Atomic<Double>(0)

    init(place: SeriesID) {
        self.place = place
    }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        // An infinity would stay for ever, and a counter may not fall.
        guard amount > 0, amount.isFinite else { return }
        fractional.add(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.store(0, ordering: .relaxed)
    }

    func render(into text: inout PrometheusText) {
        let fraction = fractional.load(ordering: .relaxed)
        let count = whole.load(ordering: .relaxed)
        if fraction == 0 {
            text.sample(place.family, labels: place.labels, count: count)
        } else {
            text.sample(place.family, labels: place.labels, value: Double(count) + fraction)
        }
    }
}
