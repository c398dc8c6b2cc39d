import DequeModule

/// What was appended to a partition lately, for a server that is promoted without the last of it. A
/// pure value.
package struct RecentAppends: Sendable {
    package struct Part: Sendable {
        package var runID: String
        package var entries: StreamEntries
        /// How many of them the partition did not have yet when the part was sent for the last time.
        package var appended: UInt64

        package init(runID: String, entries: StreamEntries, appended: UInt64) {
            self.runID = runID
            self.entries = entries
            self.appended = appended
        }
    }

    private var parts: Deque<(part: Part, bytes: Int, at: Duration)> = []
    private var bytes = 0
    private let age: Duration
    private let limit: Int

    /// - Parameters:
    ///   - age: for how long an entry is kept.
    ///   - limit: the most bytes; the oldest make room.
    package init(age: Duration, limit: Int = 32 << 20) {
        self.age = age
        self.limit = limit
    }

    package var isEmpty: Bool { parts.isEmpty }

    /// A part has been sent: the newest, in the order in which parts were sent for the last time.
    package mutating func add(_ part: Part, now: Duration) {
        guard age > .zero, part.entries.count > 0 else { return }
        let size = part.entries.bytes
        parts.append((part, size, now))
        bytes += size
        forget(now: now)
    }

    package mutating func forget(now: Duration) {
        while let first = parts.first, bytes > limit || first.at + age <= now {
            bytes -= first.bytes
            parts.removeFirst()
        }
    }

    package mutating func removeAll() { self = RecentAppends(age: age, limit: limit) }

    /// Takes out the newest parts that hold the last `count` entries of the partition, or all where these
    /// hold fewer: to be sent again, in this order.
    ///
    /// An entry whose answer was lost counts in no part, and stands in one that was sent later. So more may
    /// be taken, and never less.
    package mutating func take(last count: UInt64) -> [Part] {
        var taken: [Part] = []
        var missing = count
        while missing > 0, let newest = parts.popLast() {
            bytes -= newest.bytes
            missing -= min(missing, newest.part.appended)
            taken.append(newest.part)
        }
        return Self.joined(taken.reversed())
    }

    /// The most entries of a call, as many as a batch has, and its most bytes, unless one part has more.
    private static let entriesAtOnce = 256
    private static let bytesAtOnce = 1 << 20

    /// What follows one another is one call for each server process, whose entries keep their order. Those
    /// of two processes came beside each other in the first place.
    private static func joined(_ parts: [Part]) -> [Part] {
        var calls: [Part] = []
        var (start, count, bytes) = (0, 0, 0)
        for part in parts {
            count += part.entries.count
            bytes += part.entries.bytes
            if count > entriesAtOnce || bytes > bytesAtOnce {
                (start, count, bytes) = (calls.count, part.entries.count, part.entries.bytes)
            }
            if let place = calls[start...].firstIndex(where: { $0.runID == part.runID }) {
                calls[place].entries.append(part.entries)
                calls[place].appended += part.appended
            } else {
                calls.append(part)
            }
        }
        return calls
    }
}
