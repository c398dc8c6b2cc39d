/// How many keys fall due lately, and how long the next are gathered for one write.
///
/// One write a millisecond costs every thread on the way a wake-up each. A few hundred keys a second
/// are worth it: each goes at once. Thousands are gathered for some milliseconds, so that a wake-up
/// serves many.
struct NudgeRate: Sendable {
    private static let window: Int64 = 100_000_000
    /// Keys a second that are nudged each by itself.
    private static let fewer: Int64 = 1_000
    /// Keys that a write is to have.
    private static let aim: Int64 = 96
    private static let longest: Int64 = 8_000_000

    private var begunAt: Int64 = .min
    private var current: Int64 = 0
    private var previous: Int64 = 0
    private var lastWrite: Int64 = .min

    /// When the next may go, in nanoseconds of the monotonic clock.
    var next: Int64 {
        let rate = max(current, previous) * (1_000_000_000 / Self.window)
        guard rate > Self.fewer else { return .min }
        return lastWrite + min(Self.longest, Self.aim * 1_000_000_000 / rate)
    }

    mutating func nudged(_ count: Int, now: Int64) {
        if begunAt == .min || now - begunAt >= Self.window {
            previous = begunAt == .min || now - begunAt >= 2 * Self.window ? 0 : current
            current = 0
            begunAt = now
        }
        current += Int64(count)
        lastWrite = now
    }
}
