#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The two clocks of this machine. Monotonic times are counted from its start.
package enum SystemClock {
    /// The same moment by two clocks. The instant is taken first: an instant made of a reading is never
    /// late.
    private static let moment = (instant: ContinuousClock.now, nanoseconds: nanoseconds(continuous))

    // Like ContinuousClock: they count the time the machine was suspended.
    #if os(Linux)
    private static let continuous = CLOCK_BOOTTIME
    /// The time of the last tick, at a fraction of the cost.
    private static let roughWall = CLOCK_REALTIME_COARSE
    /// How old such a reading may be: the longest tick there is. A constant, since it is added between two
    /// handlers.
    private static let roughness: Int64 = 10_000_000
    #else
    private static let continuous = CLOCK_MONOTONIC_RAW
    private static let roughWall = CLOCK_REALTIME
    private static let roughness: Int64 = 0
    #endif

    package static func read() -> ClockReading {
        ClockReading(
            monotonic: .nanoseconds(nanoseconds(continuous)),
            wall: .nanoseconds(nanoseconds(CLOCK_REALTIME)))
    }

    /// The same for a loop that looks between any two handlers: the wall clock is never read too early, but
    /// up to 10 ms late.
    package static func glance() -> ClockGlance {
        ClockGlance(monotonic: nanoseconds(continuous), wall: nanoseconds(roughWall) + roughness)
    }

    /// By how many nanoseconds the wall clock of a glance may be ahead.
    package static var glanceIsLate: Int64 { roughness }

    /// A monotonic reading as an instant.
    package static func instant(_ monotonic: Duration) -> ContinuousClock.Instant {
        moment.instant + (monotonic - .nanoseconds(moment.nanoseconds))
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
