package import Timing

/// What one good round of votes is worth: from the moment it was *sent* until shortly before the first
/// vote of it can run out on a register.
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
