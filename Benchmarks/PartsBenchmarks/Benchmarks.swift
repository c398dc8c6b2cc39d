import Benchmark
import CAllocationCount

/// The parts of the hot path, each alone, and at last all together. Their names have no spaces: the
/// tool would not find their limits again.
@main
struct PartsBenchmarks: BenchmarkRunnerHooks {
    static func registerBenchmarks() {
        decoding()
        filling()
        dispatching()
        retrying()
        renewing()
        handling()
    }
}

/// Only what can be counted is compared with the committed limits: times depend on the machine, and on
/// who else uses it.
///
/// The tool itself counts objects and mallocs, with Swift 6.3 on Linux, only by two more packages that
/// are preloaded: without them the one clobbers registers, and the other reads 0. So the count is this
/// package's, of whatever is asked of malloc: every object, and what C allocates too.
private let allocations = BenchmarkMetric.custom("allocations", polarity: .prefersSmaller, useScalingFactor: false)

extension Benchmark.Configuration {
    /// - Parameter spread: how far a run may be from the limit, to either side.
    static func counting(within spread: Int = 0) -> Benchmark.Configuration {
        .init(
            metrics: [allocations], units: [allocations: .count], warmupIterations: 2, maxDuration: .seconds(2),
            maxIterations: 10,
            thresholds: [allocations: BenchmarkThresholds(absolute: [.p90: spread])])
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

    /// The same, whatever threads it goes on in.
    func count(_ body: () async throws -> Void) async rethrows {
        startMeasurement()
        let before = lapse_allocation_count()
        try await body()
        let after = lapse_allocation_count()
        stopMeasurement()
        measurement(allocations, Int(after - before))
    }
}
