/// What waits while it can not be handled: behind another of its key, for a retry, or for a companion out of reach. A pure value.
///
/// Reading goes on past all of it, so that a key that is slow, fails or is stuck holds up no other. So it needs bounds of its own:
/// - A line (the expirations of one key) may hold ``Bounds/line`` that wait, and no more than there is room left for everybody: the
///   more lines are long, the shorter each of them may be. One always may.
/// - All together hold ``Bounds/entries`` and ``Bounds/bytes``.
///
/// What passes a bound is the surplus of the line itself, the oldest first. It is lost, and counted as lost. It is never given up
/// for another key. Memory: with all bounds reached about 40 MiB; the progress names each of them, about 10 bytes each.
package struct WaitingRoom: Sendable {
    package struct Bounds: Sendable {
        /// How many may wait behind one key. At 50 a second that is as many as a log keeps in a third of its age.
        package var line = 1024
        package var entries = 32_768
        /// Of keys, with about what an entry costs besides its key.
        package var bytes = 32 << 20

        package init() {}
        package init(line: Int, entries: Int, bytes: Int = 32 << 20) {
            self.line = line
            self.entries = entries
            self.bytes = bytes
        }
    }

    private let bounds: Bounds
    package private(set) var count = 0
    private var bytes = 0
    /// With fewer waiting their stretches of log, some kilobytes each, may stay in memory: copies would cost more.
    private static let few = 1024

    package init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    /// Whether one more may wait for a time.
    package var hasRoom: Bool { count < bounds.entries && bytes < bounds.bytes }

    /// How many may wait in one line.
    var roomOfLine: Int {
        guard bytes < bounds.bytes else { return 0 }
        return max(1, min(bounds.line, bounds.entries - count))
    }

    /// One begins to wait; returns it in the form in which it is to be kept.
    mutating func enter(_ work: Work) -> Work {
        count += 1
        bytes += work.cost
        return count > Self.few ? work.alone : work
    }

    mutating func leave(_ work: Work) {
        count -= 1
        bytes -= work.cost
    }
}

extension Work {
    /// About what it takes in memory while it waits.
    fileprivate var cost: Int { source.excerpt.keyBytes(Int(item.index)) + 256 }

    /// The same without its neighbours, whose keys it would keep in memory.
    fileprivate var alone: Work {
        guard !source.excerpt.isOfOne else { return self }
        var item = WorkItem(0, line: item.line)
        item.attempt = self.item.attempt
        return Work(WorkSource(source.excerpt.alone(Int(self.item.index)), place: source.place), item)
    }
}
