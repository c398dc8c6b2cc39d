import Testing

@testable import Lapse

struct DispatchMachineTests {
    private func machine(_ works: [Work]) -> DispatchMachine {
        var machine = DispatchMachine()
        machine.open("run", at: Cursor(through: 0))
        for work in works { machine.admit(work) }
        return machine
    }

    @Test func oneKeyGoesOneAfterTheOther() {
        var machine = machine([.some("a", 1), .some("a", 2), .some("b", 3), .some("a", 4)])
        let first = machine.take(10)
        #expect(first.map(\.ordinal) == [1, 3])
        #expect(machine.take(10).isEmpty, "two of one key are never under way")
        machine.finish(first[0])
        let second = machine.take(10)
        #expect(second.map(\.ordinal) == [2])
        machine.finish(second[0])
        #expect(machine.take(10).map(\.ordinal) == [4])
    }

    @Test func sameKeyInAnotherDatabaseIsAnotherKey() {
        var machine = machine([.some("a", 1), .some("a", 2, database: 1)])
        #expect(machine.take(10).map(\.ordinal) == [1, 2])
    }

    @Test func aRetryHoldsItsKeyAndNothingElse() {
        var machine = machine([.some("a", 1), .some("a", 2), .some("b", 3)])
        let taken = machine.take(10)
        machine.retry(taken[0], at: .seconds(5))
        machine.finish(taken[1])
        #expect(machine.wake(now: .seconds(4)) == .seconds(5))
        #expect(machine.take(10).isEmpty)
        #expect(machine.wake(now: .seconds(5)) == nil)
        let again = machine.take(10)
        #expect(again.map(\.ordinal) == [1])
        #expect(again.map(\.attempt) == [2])
        machine.finish(again[0])
        #expect(machine.take(10).map(\.ordinal) == [2])
    }

    @Test func retriesWakeInOrderOfTheirTime() {
        var machine = machine([.some("a", 1), .some("b", 2), .some("c", 3)])
        let taken = machine.take(10)
        machine.retry(taken[0], at: .seconds(3))
        machine.retry(taken[1], at: .seconds(1))
        machine.retry(taken[2], at: .seconds(1))
        #expect(machine.wake(now: .seconds(2)) == .seconds(3))
        #expect(machine.take(10).map(\.ordinal) == [2, 3])
    }

    @Test func whatIsGivenBackComesFirstAgain() {
        var machine = machine([.some("a", 1), .some("b", 2), .some("c", 3)])
        let taken = machine.take(2)
        machine.giveBack(taken[1...])
        #expect(machine.cursors["run"]?.pending == [1, 2, 3], "it stays pending for the next leader")
        #expect(machine.take(10).map(\.ordinal) == [2, 3])
    }

    @Test func cursorsFollow() {
        var machine = machine([.some("a", 1)])
        machine.skip("run", through: 7)
        machine.open("run", at: Cursor(through: 99))
        #expect(machine.cursors["run"] == Cursor(through: 7, pending: [1]), "an open log is not opened again")
        machine.open("other", at: Cursor(through: 3, pending: [2, 3]))
        machine.drop("other", 2)
        #expect(machine.cursors["other"] == Cursor(through: 3, pending: [3]))
        machine.finish(machine.take(1)[0])
        #expect(machine.cursors["run"] == Cursor(through: 7))
        #expect(machine.pendingCount == 0)
    }
}
