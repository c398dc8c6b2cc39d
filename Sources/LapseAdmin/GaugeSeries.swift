import CoreMetrics
import Synchronization

/// A gauge or meter: the last value written, of any kind a `Double` has.
final class GaugeSeries: RecorderHandler, MeterHandler {
    let place: SeriesID
    private let value = Atomic<Double>(0)

    init(place: SeriesID) {
        self.place = place
    }

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.store(value, ordering: .relaxed) }
    func increment(by amount: Double) { value.add(amount) }
    func decrement(by amount: Double) { value.add(-amount) }

    func render(into text: inout PrometheusText) {
        text.sample(place.family, labels: place.labels, value: value.load(ordering: .relaxed))
    }
}
