import HeapModule

/// What is to be begun again at a later time, the earliest first. A pure value.
struct RetrySchedule {
    private struct Entry: Comparable {
        var due: Duration
        var sequence: Int
        var delivery: Delivery

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
        static func < (left: Entry, right: Entry) -> Bool {
            (left.due, left.sequence) < (right.due, right.sequence)
        }
    }

    private var entries = Heap<Entry>()
    private var sequence = 0

    /// When the next one is due, by the monotonic clock.
    var next: Duration? { entries.min?.due }

    mutating func add(_ delivery: Delivery, due: Duration) {
        sequence += 1
        entries.insert(Entry(due: due, sequence: sequence, delivery: delivery))
    }

    /// One whose time has come.
    mutating func popDue(now: Duration) -> Delivery? {
        guard let first = entries.min, first.due <= now else { return nil }
        return entries.removeMin().delivery
    }
}
