import Testing

@testable import Lapse

/// When a master is swept, and when a companion counts as an orphan.
struct ReconcileMachineTests {
    typealias Machine = ReconcileMachine
    private static let passes = [Machine.Pass(database: 0, rule: 0), Machine.Pass(database: 0, rule: 1)]

    private func machine(_ change: (inout Machine.Limits) -> Void = { _ in }) -> Machine {
        var limits = Machine.Limits()
        change(&limits)
        return Machine(passes: Self.passes, limits: limits, reason: .term, now: .zero)
    }

    private func orphan(_ name: String) -> Machine.Orphan { Machine.Orphan(timer: Array(name.utf8), database: 0) }

    @Test func sweepsEveryPassAndRests() {
        var machine = machine()
        #expect(machine.next(now: .zero) == .scan(Self.passes[0], cursor: "0"))
        #expect(machine.next(now: .zero) == .wait(.milliseconds(20)), "the pace")
        #expect(machine.scanned(3, missing: [], cursor: "17", now: .zero) == nil)
        #expect(machine.next(now: .milliseconds(20)) == .scan(Self.passes[0], cursor: "17"))
        #expect(machine.scanned(2, missing: [], cursor: "0", now: .milliseconds(20)) == nil)
        #expect(machine.next(now: .milliseconds(40)) == .scan(Self.passes[1], cursor: "0"))
        let report = machine.scanned(1, missing: [], cursor: "0", now: .milliseconds(40))
        #expect(report == Machine.Report(reason: .term, scanned: 6, suspected: 0))
        #expect(machine.next(now: .milliseconds(40)) == .wait(.seconds(300)))
        #expect(machine.next(now: .milliseconds(300_040)) == .scan(Self.passes[0], cursor: "0"), "the interval")
    }

    @Test func aFailedScanGoesOnAtTheSamePlace() {
        var machine = machine()
        _ = machine.next(now: .zero)
        _ = machine.scanned(1, missing: [], cursor: "9", now: .zero)
        #expect(machine.next(now: .milliseconds(20)) == .scan(Self.passes[0], cursor: "9"))
        machine.failed(now: .milliseconds(20))
        #expect(machine.next(now: .milliseconds(20)) == .wait(.seconds(1)))
        #expect(machine.next(now: .milliseconds(1020)) == .scan(Self.passes[0], cursor: "9"))
    }

    @Test func whatChangesDuringASweepNeedsAnother() {
        var machine = machine()
        sweep(&machine)
        machine.want(.gap)
        #expect(machine.next(now: .seconds(1)) == .scan(Self.passes[0], cursor: "0"))
        machine.want(.topology)
        _ = machine.scanned(0, missing: [], cursor: "0", now: .seconds(1))
        _ = machine.next(now: .seconds(2))
        #expect(machine.scanned(0, missing: [], cursor: "0", now: .seconds(2))?.reason == .gap)
        #expect(machine.next(now: .seconds(3)) == .scan(Self.passes[0], cursor: "0"))
        _ = machine.scanned(0, missing: [], cursor: "0", now: .seconds(3))
        _ = machine.next(now: .seconds(4))
        #expect(machine.scanned(0, missing: [], cursor: "0", now: .seconds(4))?.reason == .topology)
    }

    @Test func aMissingTimerIsLookedAtTwice() {
        var machine = machine()
        _ = machine.next(now: .zero)
        _ = machine.scanned(2, missing: [orphan("a"), orphan("b"), orphan("a")], cursor: "5", now: .zero)
        #expect(machine.waitingCount == 2, "SCAN may tell of a key twice")
        #expect(machine.next(now: .milliseconds(1999)) == .scan(Self.passes[0], cursor: "5"))
        _ = machine.scanned(0, missing: [], cursor: "6", now: .milliseconds(1999))
        #expect(machine.next(now: .seconds(2)) == .look([orphan("a"), orphan("b")]))
        machine.putBack([orphan("b")], now: .seconds(2))
        #expect(machine.next(now: .milliseconds(2100)) == .scan(Self.passes[0], cursor: "6"))
        #expect(machine.next(now: .seconds(4)) == .look([orphan("b")]))
    }

    @Test func manyOrphansHoldUpTheSweep() {
        var machine = machine {
            $0.waiting = 2
            $0.batch = 1
        }
        _ = machine.next(now: .zero)
        _ = machine.scanned(2, missing: [orphan("a"), orphan("b")], cursor: "5", now: .zero)
        #expect(machine.next(now: .seconds(1)) == .wait(.seconds(1)))
        #expect(machine.next(now: .seconds(2)) == .look([orphan("a")]))
        #expect(machine.next(now: .seconds(2)) == .look([orphan("b")]))
        #expect(machine.next(now: .seconds(2)) == .scan(Self.passes[0], cursor: "5"))
    }

    private func sweep(_ machine: inout Machine) {
        for _ in Self.passes {
            _ = machine.next(now: .seconds(0))
            _ = machine.scanned(0, missing: [], cursor: "0", now: .zero)
        }
    }
}
