/// Keys that wait until they may be asked about again, each for a time of its own of at most a second.
///
/// A ring of 64 buckets of some 17 ms: adding a key costs the same however many wait. Pure: times are
/// given, in nanoseconds of the own monotonic clock.
struct TrailingQuestions: Sendable {
    private static let size = 64
    /// A bucket's length is this power of two, in nanoseconds; together they are longer than a second.
    private static let shift: Int64 = 24

    private var buckets = [[UInt32]](repeating: [], count: size)
    /// The oldest bucket that is not empty yet, counted from time zero.
    private var first: Int64 = 0
    private(set) var count = 0

    /// - Parameter time: later than a round of the ring from the oldest that waits counts as that.
    mutating func add(_ place: Int, at time: Int64, now: Int64) {
        if count == 0 { first = now >> Self.shift }
        let bucket = min(max(time >> Self.shift, first), first + Int64(Self.size) - 1)
        buckets[Int(bucket) % Self.size].append(UInt32(place))
        count += 1
    }

    /// One of those whose time has come, in no order within a bucket.
    mutating func popDue(now: Int64) -> Int? {
        guard count > 0 else { return nil }
        while first < now >> Self.shift {
            if let place = buckets[Int(first) % Self.size].popLast() {
                count -= 1
                return Int(place)
            }
            first += 1
            if count == 0 { return nil }
        }
        return nil
    }

    /// When the next one is due; nil when none waits.
    var next: Int64? {
        guard count > 0 else { return nil }
        let bucket = (first..<first + Int64(Self.size)).first { !buckets[Int($0) % Self.size].isEmpty }
        return bucket.map { ($0 + 1) << Self.shift }
    }
}
