import LeaderElection
import Testing
import Timing

@testable import LapseCommand

/// Row 113: what the guard of a program decides, with its time driven.
@Suite struct GuardMachineTests {
    private func at(_ milliseconds: Int) -> ClockReading {
        ClockReading(monotonic: .milliseconds(milliseconds), wall: .milliseconds(1_000_000 + milliseconds))
    }

    private func running(until limit: Int = 1000) -> GuardMachine {
        var machine = GuardMachine(grace: .milliseconds(100))
        let actions = machine.step(.order(.start(term: 3, token: 7, until: at(limit))), now: at(0))
        #expect(actions == [.start(term: 3, token: 7)])
        return machine
    }

    @Test func withoutARenewalTheProgramEndsWithTheLease() {
        var machine = running()
        #expect(machine.step(.timer, now: at(999)).isEmpty)
        #expect(machine.nextLook == .milliseconds(1000))
        #expect(machine.step(.timer, now: at(1000)) == [.terminate])
        #expect(machine.step(.timer, now: at(1099)).isEmpty)
        #expect(machine.step(.timer, now: at(1100)) == [.kill])
        #expect(machine.nextLook == nil)
    }

    @Test func aRenewalExtendsAndOneThatIsTooLateDoesNot() {
        var machine = running()
        #expect(machine.step(.order(.extend(until: at(2000))), now: at(500)).isEmpty)
        #expect(machine.step(.timer, now: at(1500)).isEmpty)
        #expect(machine.step(.order(.extend(until: at(3000))), now: at(2000)) == [.terminate])
        #expect(machine.step(.timer, now: at(3100)) == [.kill])
    }

    /// Stopped together with lapse: what is overdue happens at once.
    @Test func aGuardThatWasStoppedKillsWhenItGoesOn() {
        var machine = running()
        #expect(machine.step(.timer, now: at(5000)) == [.terminate, .kill])
    }

    /// A virtual machine that was paused: only its wall clock knows.
    @Test func theWallClockIsASecondWitness() {
        var machine = running()
        let later = ClockReading(monotonic: .milliseconds(10), wall: .milliseconds(1_002_000))
        #expect(machine.step(.timer, now: later) == [.terminate, .kill])
    }

    @Test func theEndOfLapseIsTheEndOfTheProgram() {
        var machine = running()
        #expect(machine.step(.closed, now: at(300)) == [.terminate])
        #expect(machine.step(.timer, now: at(399)).isEmpty)
        #expect(machine.step(.timer, now: at(400)) == [.kill])
        var late = running()
        #expect(late.step(.closed, now: at(1050)) == [.terminate, .kill], "no more grace behind the lease")
    }

    @Test func aStopLastsAsLongAsLapseGrantsWithinTheLease() {
        var machine = running()
        #expect(machine.step(.order(.stop), now: at(300)) == [.terminate])
        #expect(machine.step(.order(.extend(until: at(2000))), now: at(600)).isEmpty)
        #expect(machine.step(.timer, now: at(1500)).isEmpty)
        var other = machine
        #expect(machine.step(.closed, now: at(1600)) == [.kill])
        #expect(other.step(.timer, now: at(2100)) == [.kill])
    }

    @Test func beforeTheTermThereIsNothingToGuard() {
        var machine = GuardMachine(grace: .milliseconds(100))
        #expect(machine.nextLook == nil)
        #expect(machine.step(.order(.stop), now: at(0)).isEmpty)
        #expect(machine.step(.closed, now: at(0)) == [.leave])
        #expect(machine.step(.order(.start(term: 1, token: 2, until: at(10))), now: at(10)) == [.leave])
    }

    @Test func ordersAreLines() {
        let orders: [GuardMachine.Order] = [
            .start(term: 1, token: 1_721_000_000_000, until: at(77)), .extend(until: at(5)), .stop,
        ]
        for order in orders { #expect(GuardMachine.Order(order.line) == order) }
        for line in ["", "start 1 2 3", "extend x y", "extend 1 18446744073709551615", "stop 1", "go"] {
            #expect(GuardMachine.Order(line) == nil)
        }
    }
}
