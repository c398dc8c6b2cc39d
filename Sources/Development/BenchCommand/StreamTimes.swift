import Synchronization

/// When each expiration was brought about, heard on the socket, and handled; nanoseconds of the
/// monotonic clock.
final class StreamTimes: Sendable {
    private struct Marks {
        var times: [Int64]
        var count = 0

        mutating func set(_ number: Int, _ time: Int64) {
            guard times.indices.contains(number), times[number] == 0 else { return }
            times[number] = time
            count += 1
        }
    }

    private let starts: Mutex<Marks>
    private let reads: Mutex<Marks>
    private let handlings: Mutex<Marks>
    private let origin = ContinuousClock.now

    init(_ count: Int) {
        let empty = [Int64](repeating: 0, count: count)
        starts = Mutex(Marks(times: empty))
        reads = Mutex(Marks(times: empty))
        handlings = Mutex(Marks(times: empty))
    }

    /// Since this was made; never 0.
    var now: Int64 {
        let parts = (ContinuousClock.now - origin).components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000 + 1
    }

    /// These are about to be brought about.
    func sending(_ numbers: Range<Int>) {
        let now = now
        starts.withLock { for number in numbers { $0.set(number, now) } }
    }

    func read(_ numbers: [Int], at now: Int64) {
        reads.withLock { for number in numbers { $0.set(number, now) } }
    }

    func handled(_ number: Int) {
        let now = now
        handlings.withLock { $0.set(number, now) }
    }

    /// How many have been read, and how many handled.
    var counts: (read: Int, handled: Int) { (reads.withLock { $0.count }, handlings.withLock { $0.count }) }

    /// From the command to the reader, sorted.
    func read() -> [Int64] { latencies(from: starts, to: reads) }

    /// From the command to the handler, sorted.
    func handled() -> [Int64] { latencies(from: starts, to: handlings) }

    /// From the reader to the handler of the same expiration, sorted; negative where the handler was first.
    func added() -> [Int64] { latencies(from: reads, to: handlings) }

    private func latencies(from starts: borrowing Mutex<Marks>, to ends: borrowing Mutex<Marks>) -> [Int64] {
        let starts = starts.withLock { $0.times }
        let ends = ends.withLock { $0.times }
        return zip(starts, ends).map { $1 - $0 }.sorted()
    }
}
