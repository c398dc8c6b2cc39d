#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The two clocks of this machine.
package enum SystemClock {
    /// Monotonic times are counted from here.
    private static let epoch = ContinuousClock.now

    package static func read() -> ClockReading {
        // ContinuousClock is CLOCK_BOOTTIME on Linux: it counts the time the machine was suspended.
        ClockReading(monotonic: ContinuousClock.now - epoch, wall: wall())
    }

    /// A monotonic reading as an instant.
    static func instant(_ monotonic: Duration) -> ContinuousClock.Instant {
        epoch + monotonic
    }

    private static func wall() -> Duration {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "host" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static var processID: Int32 { getpid() }
}
