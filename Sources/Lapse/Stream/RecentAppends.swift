import DequeModule

/// What was appended to a partition lately, for a server that is promoted without the last of it. A pure value.
package struct RecentAppends: Sendable {
    package struct Part: Sendable {
        package var runID: String
        package var entries: StreamEntries
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
    /// The oldest first.
    package var all: [Part] { parts.map(\.part) }

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
}
