package import NIOCore

/// Instants a period apart, the same for all tasks of this process: what is due for a hundred nodes
/// wakes it once.
///
/// Each process has a phase of its own, so that a group of replicas does not ask all nodes at the same
/// instant.
package struct SharedTick: Sendable {
    package let period: TimeAmount
    private let phase: Int64
    private static let phaseOfProcess = Int64.random(in: 0..<1_000_000_000)

    package init(every period: TimeAmount) { self.init(every: period, phase: Self.phaseOfProcess) }

    /// For tests, which choose the phase.
    init(every period: TimeAmount, phase: Int64) {
        self.period = period
        self.phase = phase % period.nanoseconds
    }

    /// The beat to wait for: at least half a period away, so that two never follow at once when the first
    /// came late, and at most one and a half.
    package func next(after now: NIODeadline) -> NIODeadline {
        let least = Int64(clamping: now.uptimeNanoseconds) + period.nanoseconds / 2
        let sinceBeat = (least - phase) % period.nanoseconds
        let wait = sinceBeat > 0 ? period.nanoseconds - sinceBeat : -sinceBeat
        return .uptimeNanoseconds(UInt64(clamping: least + wait))
    }
}
