/// When a log line that may repeat is written: at once, and then no more than once in a while. A pure
/// value.
package struct LineLimit: Sendable {
    private let pause: Duration
    private var last: Duration?
    private var keptBack: UInt64 = 0

    package init(every pause: Duration) { self.pause = pause }

    /// Something happened that a line is to be written about.
    ///
    /// - Parameters:
    ///   - count: how often it happened.
    ///   - now: by the monotonic clock.
    /// - Returns: how often it has happened since the last line; nil if none is to be written now.
    package mutating func happened(_ count: UInt64 = 1, now: Duration) -> UInt64? {
        keptBack += count
        if let last, now < last + pause { return nil }
        last = now
        defer { keptBack = 0 }
        return keptBack
    }
}
