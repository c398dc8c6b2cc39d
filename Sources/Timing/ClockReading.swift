/// One look at two clocks: the monotonic one, which also counts the time a machine is suspended, and
/// the wall clock as a second witness. A virtual machine that was paused finds its monotonic clock
/// where it left it; its wall clock is put right. A lease holds only while **both** say so.
package struct ClockReading: Sendable, Hashable {
    package var monotonic: Duration
    package var wall: Duration

    package init(monotonic: Duration, wall: Duration) {
        self.monotonic = monotonic
        self.wall = wall
    }

    /// Both clocks, later by `duration`.
    package func advanced(by duration: Duration) -> ClockReading {
        ClockReading(monotonic: monotonic + duration, wall: wall + duration)
    }

    /// Both clocks stand before `limit`.
    package func isBefore(_ limit: ClockReading) -> Bool {
        monotonic < limit.monotonic && wall < limit.wall
    }
}

/// One look at the same two clocks, in nanoseconds: `Duration` counts with 128 bits, which is dear
/// between two handlers.
package struct ClockGlance: Sendable, Hashable {
    package var monotonic: Int64
    package var wall: Int64

    package init(monotonic: Int64, wall: Int64) {
        self.monotonic = monotonic
        self.wall = wall
    }

    package init(_ reading: ClockReading) {
        self.init(monotonic: reading.monotonic.inNanoseconds, wall: reading.wall.inNanoseconds)
    }
}

extension Duration {
    /// Without the rest, and no more than fits: some 292 years.
    package var inNanoseconds: Int64 {
        let (seconds, isTooLong) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !isTooLong else { return components.seconds < 0 ? .min : .max }
        let (sum, isTooMuch) = seconds.addingReportingOverflow(components.attoseconds / 1_000_000_000)
        return isTooMuch ? seconds : sum
    }
}
