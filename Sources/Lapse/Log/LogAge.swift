/// How far a log had come when, by the clock that is never set. A pure value.
///
/// An entry's own time is by the wall clock, and that may have been wrong for just the moment in which
/// it came: it is too old only when the log had come so far a whole age ago, too.
struct LogAge {
    private var marks: [(at: Duration, through: UInt64)] = []
    /// The most marks that are kept.
    private static let resolution = 64

    /// - Parameters:
    ///   - last: the last ordinal of the log; nil while nothing in it has one.
    ///   - now: by a monotonic clock.
    ///   - limit: the age.
    /// - Returns: all up to this one came longer ago, by the own feed; 0 where nothing did.
    mutating func aged(_ last: UInt64?, now: Duration, limit: Duration) -> UInt64 {
        while marks.count > 1, now - marks[1].at > limit { marks.removeFirst() }
        if let last, marks.last.map({ now - $0.at >= limit / Self.resolution }) ?? true {
            marks.append((now, last))
        }
        return marks.first.map { now - $0.at > limit ? $0.through : 0 } ?? 0
    }
}
