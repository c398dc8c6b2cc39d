/// One look at two clocks: the monotonic one, which also counts the time a machine is suspended, and the wall
/// clock as a second witness. A virtual machine that was paused finds its monotonic clock where it left it; its
/// wall clock is put right. A lease holds only while **both** say so.
package struct ClockReading: Sendable, Hashable {
    package var monotonic: Duration
    package var wall: Duration

    package init(monotonic: Duration, wall: Duration) {
        self.monotonic = monotonic
        self.wall = wall
    }

    /// Both clocks, later by `duration`.
    func advanced(by duration: Duration) -> ClockReading {
        ClockReading(monotonic: monotonic + duration, wall: wall + duration)
    }

    /// Both clocks stand before `limit`.
    func isBefore(_ limit: ClockReading) -> Bool {
        monotonic < limit.monotonic && wall < limit.wall
    }
}

/// What one good round of votes is worth: from the moment it was *sent* until shortly before the first vote of
/// it can run out on a register.
package struct LeaseWindow: Sendable, Hashable {
    /// Read before the first byte of the round was sent.
    package let start: ClockReading
    /// Until here handlers may be called.
    package let leadUntil: ClockReading
    /// Until here no rival can hold a majority.
    package let deadline: ClockReading

    package init(start: ClockReading, timing: LeaseTiming) {
        self.start = start
        deadline = start.advanced(by: timing.ttl - timing.drift)
        leadUntil = deadline.advanced(by: .zero - timing.stopBudget)
    }

    package func isOpen(at now: ClockReading) -> Bool { now.isBefore(leadUntil) }
    package func isHeld(at now: ClockReading) -> Bool { now.isBefore(deadline) }
}
