import Synchronization

/// How long expirations took from being heard to being handled: a count for each of a fixed number of
/// spans, each about a fifth longer than the one before, from a millisecond to over an hour. To count
/// one is an atomic addition.
package final class DelayCounts: Sendable {
    /// A box, for an array cannot hold an atomic itself.
    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

    package static let size = 1 + 22 * 4
    private let buckets = (0..<DelayCounts.size).map { _ in Bucket() }

    /// - Parameter milliseconds: 0 for less than one.
    func add(_ milliseconds: UInt64) {
        buckets[Self.index(of: milliseconds)].count.wrappingAdd(1, ordering: .relaxed)
    }

    package var counts: [UInt64] { buckets.map { $0.count.load(ordering: .relaxed) } }

    static func index(of milliseconds: UInt64) -> Int {
        guard milliseconds > 0 else { return 0 }
        let octave = 63 - milliseconds.leadingZeroBitCount
        guard octave < 22 else { return size - 1 }
        let quarter = Int((milliseconds << 2) >> UInt64(octave)) & 3
        return 1 + octave * 4 + quarter
    }

    /// What all in a bucket lie below, in milliseconds.
    static func bound(of index: Int) -> Double {
        guard index > 0 else { return 1 }
        let (octave, quarter) = (index - 1).quotientAndRemainder(dividingBy: 4)
        return Double(1 << octave) * (1 + Double(quarter + 1) / 4)
    }

    /// The span below which these parts of the counted lie, in milliseconds; nil where nothing was counted.
    ///
    /// - Parameter counts: of a while, one for each bucket.
    package static func percentiles(_ parts: [Double], of counts: [UInt64]) -> [Double]? {
        let total = counts.reduce(0, +)
        guard total > 0, counts.count == size else { return nil }
        return parts.map { part in
            let wanted = max(1, UInt64((Double(total) * part).rounded(.up)))
            var sum: UInt64 = 0
            let index = counts.firstIndex { count in
                sum += count
                return sum >= wanted
            }
            return bound(of: index ?? size - 1)
        }
    }
}
