import Benchmark
import CAllocationCount

/// The parts of the hot path, each alone. Their names have no spaces: the tool would not find their limits again.
let benchmarks: @Sendable () -> Void = {
    decoding()
    filling()
    dispatching()
    retrying()
    renewing()
}

/// Only what can be counted is compared with the committed limits: times depend on the machine, and on who else uses it.
///
/// The tool's own count of objects hooks the runtime, and with Swift 6.3 on Linux its hooks clobber registers; its count of
/// mallocs reads 0 without its interposer. So the count is this package's, and it includes what C allocates.
private let allocations = BenchmarkMetric.custom("allocations", polarity: .prefersSmaller, useScalingFactor: false)

extension Benchmark.Configuration {
    static var counting: Benchmark.Configuration {
        .init(metrics: [allocations], warmupIterations: 2, maxDuration: .seconds(2), maxIterations: 10)
    }
}

extension Benchmark {
    /// One measured stretch of this benchmark.
    func count(_ body: () throws -> Void) rethrows {
        startMeasurement()
        let before = lapse_allocation_count()
        try body()
        let after = lapse_allocation_count()
        stopMeasurement()
        measurement(allocations, Int(after - before))
    }
}
