import LeaderElection
import Testing

@testable import Lapse

struct DeliveryMachineTests {
    private func machine(_ deliveries: [Delivery]) -> DeliveryMachine {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 0))
        for delivery in deliveries { machine.admitHere(delivery) }
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
        #expect(machine.releaseDue(now: .seconds(4)) == .seconds(5))
        #expect(machine.take(10).isEmpty)
        #expect(machine.releaseDue(now: .seconds(5)) == nil)
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
        #expect(machine.releaseDue(now: .seconds(2)) == .seconds(3))
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
        machine.cursors.skip("run", through: 7, as: .ignored)
        machine.cursors.open("run", at: Cursor(through: 99))
        #expect(machine.cursors["run"] == Cursor(through: 7, pending: [1]), "an open log is not opened again")
        machine.cursors.open("other", at: Cursor(through: 3, pending: [2, 3]))
        machine.cursors.finish("other", 2, as: .lost)
        #expect(machine.cursors["other"] == Cursor(through: 3, pending: [3]))
        machine.finish(machine.take(1)[0])
        #expect(machine.cursors["run"] == Cursor(through: 7))
        #expect(machine.pendingCount == 0)
    }

    @Test("a batch that is counted at once leaves what each of it alone would leave", arguments: 0..<30)
    func batchesCountAsTheirParts(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var machine = DeliveryMachine.leading()
        for run in ["a", "b"] {
            machine.cursors.open(run, at: Cursor(through: 0))
            var log = ExpirationLog()
            for ordinal in UInt64(1)...200 {
                let key = Array("\(run)\(Int.random(in: 0..<150, using: &random))".utf8)
                // Unsafe in name only: a byte has no padding.
                log.append(
                    unsafe key.span.bytes, database: 0, number: ordinal, isNumbered: true, now: 1,
                    provenance: .vouched)
            }
            while let next = log.next(after: machine.cursor(run)?.through ?? 0) {
                let chunk = log.copy(from: next, upTo: .random(in: 1...70, using: &random), bytes: 1 << 10)
                let slice = LogSlice(
                    chunk, of: NodeProcess(runID: run, node: "n"), since: 0, cursorIndex: machine.cursors.index(of: run)
                )
                var list = DeliveryList(of: slice, reserving: chunk.count)
                machine.take(0..<chunk.count, of: slice)
                for index in 0..<chunk.count {
                    let hash = chunk.withKey(index) { KeyHash($0, database: 0) }
                    machine.admit(DeliveryEntry(index, hash), of: slice, to: &list)
                }
                machine.ready.append(list)
            }
        }
        var single = machine
        while machine.readyCount > 0 {
            let taken = machine.take(64)
            let same = single.take(64)
            #expect(taken.map(\.ordinal) == same.map(\.ordinal))
            let all = taken.count == 64 ? UInt64.max : 1 << UInt64(taken.count) - 1
            let some = UInt64.random(in: 0...all, using: &random)
            for finished in [some, all & ~some] {
                machine.finish(finished, of: taken)
                for index in taken.indices where finished & 1 << UInt64(index) != 0 { single.finish(same[index]) }
                #expect(machine.cursors.all == single.cursors.all && machine.pendingCount == single.pendingCount)
                for run in ["a", "b"] {
                    #expect(machine.cursors.account(run, last: 200) == single.cursors.account(run, last: 200))
                }
            }
        }
        #expect(machine.pendingCount == 0)
    }
}
