import DequeModule

/// When one master is swept for companions without a timer, and which of those are orphans. A pure
/// value.
///
/// A timer that is missing once proves nothing: its expiration may be on its way, or its writer may
/// have set the companion and not yet the timer. So a companion counts as an orphan when its timer was
/// missing in two looks, a grace apart.
package struct ReconcileMachine {
    /// Why a sweep begins.
    package enum Reason: String, Sendable { case term, gap, restart, topology, interval }

    /// One database and one rule: what one chain of SCANs covers.
    package struct Pass: Sendable, Hashable {
        package var database: UInt16
        package var rule: Int

        package init(database: UInt16, rule: Int) {
            self.database = database
            self.rule = rule
        }
    }

    /// A companion whose timer was missing.
    package struct Orphan: Sendable, Hashable {
        package var timer: [UInt8]
        package var database: UInt16

        package init(timer: [UInt8], database: UInt16) {
            self.timer = timer
            self.database = database
        }
    }

    package struct Limits: Sendable {
        package var interval: Duration = .seconds(300)
        package var grace: Duration = .seconds(2)
        /// Between two SCANs.
        package var pace: Duration = .milliseconds(20)
        /// After a failure.
        package var rest: Duration = .seconds(1)
        /// Orphans waiting; with more than that no SCAN goes on.
        package var waiting = 10_000
        /// Orphans looked at together.
        package var batch = 256

        package init() {}
    }

    package enum Step: Sendable, Equatable {
        case scan(Pass, cursor: String)
        /// The second look.
        case look([Orphan])
        case wait(Duration)
    }

    /// What a sweep found, once it is over.
    package struct Report: Sendable, Equatable {
        package var reason: Reason
        package var scanned = 0
        package var suspected = 0
    }

    private struct Sweep {
        var left: ArraySlice<Pass>
        var cursor = "0"
        var report: Report
    }

    private let passes: [Pass]
    private let limits: Limits
    private var wanted: Reason?
    private var sweep: Sweep?
    private var nextSweep: Duration
    private var nextScan: Duration = .zero
    private var waiting: Deque<(orphan: Orphan, due: Duration)> = []
    private var known: Set<Orphan> = []

    /// The first sweep is wanted at once.
    package init(passes: [Pass], limits: Limits = Limits(), reason: Reason, now: Duration) {
        self.passes = passes
        self.limits = limits
        wanted = reason
        nextSweep = now + limits.interval
    }

    /// A sweep that begins after now; one that is under way may have passed by what changed.
    package mutating func want(_ reason: Reason) { wanted = wanted ?? reason }

    package mutating func next(now: Duration) -> Step {
        if let first = waiting.first, first.due <= now { return .look(takeDue(now)) }
        if sweep == nil { begin(now) }
        guard let sweep, let pass = sweep.left.first else {
            return .wait(min(waiting.first?.due ?? nextSweep, nextSweep) - now)
        }
        if let first = waiting.first, waiting.count >= limits.waiting { return .wait(first.due - now) }
        guard nextScan <= now else { return .wait(min(waiting.first?.due ?? nextScan, nextScan) - now) }
        nextScan = now + limits.pace
        return .scan(pass, cursor: sweep.cursor)
    }

    /// A SCAN has answered: where the next one begins, and what it found. Returns a report when the sweep
    /// is over.
    package mutating func scanned(
        _ scanned: Int, missing: [Orphan], cursor: String, now: Duration
    ) -> Report? {
        wait(missing, now)
        guard var current = sweep else { return nil }
        current.report.scanned += scanned
        current.report.suspected += missing.count
        current.cursor = cursor
        if cursor == "0" { current.left.removeFirst() }
        guard current.left.isEmpty else {
            sweep = current
            return nil
        }
        sweep = nil
        nextSweep = now + limits.interval
        return current.report
    }

    /// A SCAN has failed: the sweep goes on at the same place a little later.
    package mutating func failed(now: Duration) { nextScan = now + limits.rest }

    /// To be looked at again: they could not be taken, or the look failed.
    package mutating func putBack(_ orphans: [Orphan], now: Duration) { wait(orphans, now) }

    package var waitingCount: Int { waiting.count }

    private mutating func begin(_ now: Duration) {
        guard let reason = wanted ?? (now >= nextSweep ? .interval : nil) else { return }
        wanted = nil
        sweep = Sweep(left: passes[...], report: Report(reason: reason))
    }

    private mutating func wait(_ orphans: [Orphan], _ now: Duration) {
        for orphan in orphans where known.insert(orphan).inserted { waiting.append((orphan, now + limits.grace)) }
    }

    private mutating func takeDue(_ now: Duration) -> [Orphan] {
        var due: [Orphan] = []
        while let first = waiting.first, first.due <= now, due.count < limits.batch {
            due.append(first.orphan)
            known.remove(first.orphan)
            waiting.removeFirst()
        }
        return due
    }
}
