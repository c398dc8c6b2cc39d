import Lapse
import Timing

/// What the leader does about one master: the product's machine and pace, and what its tasks wait for.
/// It stands where the product has a `PunctualNode`.
final class Asker {
    let server: KeyServer
    var machine: PunctualMachine
    var pace = SweepPace()
    var reconnection = Reconnection(Backoff(first: .milliseconds(50), cap: .seconds(5)))
    let begunAt: Duration
    /// Its server is no master any more, or its leader leads no more.
    var isOver = false
    let askBell = AskerBell()
    let nudgeBell = AskerBell()
    let sweepBell = AskerBell()
    var line: KeyLine?
    var hintLine: HintLine?
    /// The last answer to TIME was so long on its way: until the next ones the clock is that inexact.
    var width: Duration = .zero
    var wideUntil: Duration = .zero
    /// What is late until then is excused by what befell its connections.
    var excusedUntil: Duration = .zero

    init(_ server: KeyServer, _ machine: PunctualMachine, begunAt: Duration) {
        self.server = server
        self.machine = machine
        self.begunAt = begunAt
    }

    /// No hints come, and that was not noticed.
    var isDeaf: Bool { hintLine.map { !$0.isFlowing } ?? false }
}

/// The product's `Doorbell` in simulated time: a ring while no task waits is kept once.
final class AskerBell {
    private var isRung = false
    private var waiter: (() -> Void)?
    private var visit = 0

    /// What goes on now, if a task waits.
    func ring() -> (() -> Void)? {
        guard let waiter else {
            isRung = true
            return nil
        }
        self.waiter = nil
        return waiter
    }

    /// - Returns: the number of the visit; nil when it has rung already.
    func wait(_ resume: @escaping () -> Void) -> Int? {
        guard !isRung else {
            isRung = false
            return nil
        }
        waiter = resume
        visit += 1
        return visit
    }

    /// What goes on now, if that visit still waits.
    func timeOut(_ number: Int) -> (() -> Void)? {
        guard number == visit, let waiter else { return nil }
        self.waiter = nil
        return waiter
    }
}
