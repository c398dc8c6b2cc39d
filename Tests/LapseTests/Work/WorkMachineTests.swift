import RedisClient
import Testing

@testable import Lapse

/// A worker's decisions, step by step.
@Suite struct WorkMachineTests {
    private func machine(lanes: Int = 4, retries: Int = 1) -> WorkMachine {
        WorkMachine(
            .init(
                lanes: lanes, retries: RetryPolicy(retries: retries, first: .milliseconds(100)),
                claimAfter: .seconds(8)))
    }

    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number) }
    private func entry(_ number: UInt64) -> WorkEntry { WorkEntry("s", id(number)) }

    /// With one entry in the handler, its attempt being the n-th.
    private func handling(_ machine: inout WorkMachine, attempt: Int = 1) -> [WorkMachine.Action] {
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1)]), now: .zero)
        return machine.step(.begun("s", [id(1): attempt]), now: .zero)
    }

    @Test func whatIsReadIsBegunHandledAndAcknowledged() {
        var machine = machine()
        #expect(
            machine.step(.partitions(["s"]), now: .zero)
                == [.claim("s", from: .zero, limit: 5), .read("s", limit: 5)])
        let read = machine.step(.read("s", [id(1), id(2)]), now: .zero)
        #expect(read.contains(.begin("s", [.init(id: id(1), turn: 1), .init(id: id(2), turn: 2)])))
        let begun = machine.step(.begun("s", [id(1): 1, id(2): nil]), now: .zero)
        #expect(begun.contains(.handle(entry(1), attempt: 1)))
        #expect(!machine.holds(entry(2)), "another worker has it")
        #expect(machine.step(.handled(entry(1)), now: .zero).contains(.acknowledge("s", [id(1)])))
        _ = machine.step(.acknowledged("s", [id(1)]), now: .zero)
        #expect(machine.inHand == 0)
    }

    @Test func aLostAnswerIsAskedAgainUnderTheSameNumber() {
        var machine = machine()
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1)]), now: .zero)
        let failed = machine.step(.beginFailed("s", [id(1)]), now: .zero)
        #expect(!failed.contains { if case .begin = $0 { true } else { false } }, "not at once")
        let again = machine.step(.tick, now: .seconds(1))
        #expect(again.contains(.begin("s", [.init(id: id(1), turn: 1)])))
    }

    @Test func attemptsBegunByAllWorkersCount() {
        var machine = machine(retries: 1)
        _ = handling(&machine, attempt: 2)
        let failed = machine.step(.failed(entry(1), .init(text: "no")), now: .zero)
        #expect(failed.contains(.bury(entry(1), attempts: 2, error: "no")))
        #expect(machine.step(.buried(entry(1)), now: .zero).contains(.acknowledge("s", [id(1)])))
    }

    @Test func whatKillsItsWorkersIsBuriedUnhandled() {
        var machine = machine(retries: 1)
        let begun = handling(&machine, attempt: 3)
        #expect(!begun.contains(.handle(entry(1), attempt: 3)))
        #expect(
            begun.contains {
                if case .bury(entry(1), attempts: 2, let error) = $0 { error.contains("died") } else { false }
            })
    }

    @Test func aFailureWaitsAndIsAnotherAttempt() {
        var machine = machine(retries: 1)
        _ = handling(&machine)
        let failed = machine.step(.failed(entry(1), .init(text: "no", random: 0)), now: .zero)
        #expect(failed.contains(.wake(at: .milliseconds(50))))
        let due = machine.step(.tick, now: .milliseconds(50))
        #expect(due.contains(.begin("s", [.init(id: id(1), turn: 2)])))
        // Advice counts.
        _ = machine.step(.begun("s", [id(1): 1]), now: .milliseconds(50))
        _ = machine.step(
            .failed(entry(1), .init(text: "later", advice: .notBefore(.seconds(2)))), now: .milliseconds(50))
        #expect(!machine.step(.tick, now: .seconds(2)).contains { if case .begin = $0 { true } else { false } })
        #expect(machine.step(.tick, now: .milliseconds(2050)).contains { if case .begin = $0 { true } else { false } })
        _ = machine.step(.begun("s", [id(1): 1]), now: .seconds(3))
        let pointless = machine.step(
            .failed(entry(1), .init(text: "never", advice: .pointless)), now: .seconds(3))
        #expect(pointless.contains(.bury(entry(1), attempts: 1, error: "never")))
    }

    /// What was none is no attempt here either, though it was counted as it began; and it has an end.
    @Test func anAttemptThatWasNoneIsExcused() {
        var machine = machine(retries: 1)
        _ = handling(&machine)
        var now = Duration.zero
        let advice = AnotherAttempt.whenPossible(after: .milliseconds(100), others: true)
        let error = WorkMachine.AttemptFailure(text: "no", advice: advice)
        func fail(_ attempt: Int) -> [WorkMachine.Action] {
            now += .seconds(1)
            return machine.step(.failed(entry(1), error), now: now - .seconds(1)) + machine.step(.tick, now: now)
                + machine.step(.begun("s", [id(1): attempt + 1]), now: now)
        }
        for attempt in 1...64 { #expect(fail(attempt).contains(.handle(entry(1), attempt: attempt + 1))) }
        #expect(fail(65).contains(.handle(entry(1), attempt: 66)), "the configured one")
        #expect(fail(66).contains(.bury(entry(1), attempts: 66, error: "no")))
    }

    @Test func whatIsInHandIsKept() {
        var machine = machine()
        _ = handling(&machine)
        #expect(machine.step(.tick, now: .seconds(3)).contains(.keep("s", [id(1)])))
        _ = machine.step(.kept("s", lost: [id(1)]), now: .seconds(3))
        // Another worker has it: a failure here is not this worker's to repeat.
        _ = machine.step(.failed(entry(1), .init(text: "no")), now: .seconds(3))
        #expect(machine.inHand == 0)
    }

    /// Trimmed, say: no other worker can have it, so it is handled here or becomes a letter.
    @Test func whatWasDeletedInHandBecomesALetter() {
        func letter(_ number: UInt64, _ attempts: Int, _ actions: [WorkMachine.Action]) -> Int {
            actions.count {
                guard case .bury(entry(number), attempts: attempts, let error) = $0 else { return false }
                return error.contains("deleted from the stream")
            }
        }
        var machine = machine(lanes: 2, retries: 5)
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1), id(2), id(3)]), now: .zero)
        _ = machine.step(.begun("s", [id(1): 1, id(2): 2]), now: .zero)
        _ = machine.step(.failed(entry(2), .init(text: "no", advice: .notBefore(.seconds(9)))), now: .zero)
        // The third takes its place, and a fourth is ready.
        _ = machine.step(.read("s", [id(4)]), now: .zero)
        let gone = machine.step(.kept("s", lost: [], gone: [id(1), id(2), id(4)]), now: .seconds(3))
        #expect(letter(2, 2, gone) == 1 && letter(4, 0, gone) == 1 && letter(1, 1, gone) == 0)
        #expect(machine.waitingCount == 2)
        // Its time for another attempt is not one for another letter.
        #expect(letter(2, 2, machine.step(.tick, now: .seconds(20))) == 0)
        // A handler may still succeed; and its failure is the last one, also where the group has dropped the
        // entry meanwhile.
        _ = machine.step(.kept("s", lost: [id(1)]), now: .seconds(20))
        #expect(letter(1, 1, machine.step(.failed(entry(1), .init(text: "no")), now: .seconds(20))) == 1)
        #expect(machine.step(.buried(entry(1)), now: .seconds(20)).contains(.acknowledge("s", [id(1)])))
    }

    /// Else a worker that has nothing to do would be unready until the next entry.
    @Test func withNothingInHandNothingOfItIsInTrouble() {
        var machine = machine()
        _ = handling(&machine)
        _ = machine.step(.partitions(["s", "t"]), now: .zero)
        var troubles = WorkTroubles()
        for what in ["s: keep", "t: keep", "t: begin", "t: read"] { _ = troubles.failed(what, "no", now: .zero) }
        let isOver = troubles.emptyHanded(machine.emptyHanded)
        #expect(!isOver && troubles.reasons == ["s: keep: no", "t: read: no"])
        _ = troubles.succeeded("t: read")
        _ = machine.step(.kept("s", lost: [id(1)]), now: .zero)
        _ = machine.step(.failed(entry(1), .init(text: "no")), now: .zero)
        let isOverNow = troubles.emptyHanded(machine.emptyHanded)
        #expect(isOverNow && troubles.isEmpty)
    }

    @Test func aLetterThatCannotBeWrittenStaysInHand() {
        var machine = machine(retries: 0)
        _ = handling(&machine)
        _ = machine.step(.failed(entry(1), .init(text: "no")), now: .zero)
        #expect(
            !machine.step(.buryFailed(entry(1)), now: .zero).contains { if case .bury = $0 { true } else { false } })
        #expect(machine.step(.tick, now: .seconds(1)).contains(.bury(entry(1), attempts: 1, error: "no")))
        #expect(machine.step(.tick, now: .seconds(3)).contains(.keep("s", [id(1)])))
    }

    @Test func leavingWaitsForHandlersAndGivesTheRestBack() {
        var machine = machine(lanes: 1)
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        _ = machine.step(.read("s", [id(1), id(2)]), now: .zero)
        _ = machine.step(.begun("s", [id(1): 1]), now: .zero)
        let leave = machine.step(.leave, now: .zero)
        #expect(leave.contains(.stopReading) && !machine.holds(entry(2)))
        #expect(!leave.contains(.leave("s")))
        _ = machine.step(.readFailed("s"), now: .zero)
        // What comes too late is not taken up.
        #expect(machine.step(.handled(entry(1)), now: .zero).contains(.acknowledge("s", [id(1)])))
        #expect(machine.step(.acknowledged("s", [id(1)]), now: .zero).contains(.leave("s")))
        #expect(!machine.isFinished)
        _ = machine.step(.left("s"), now: .zero)
        #expect(machine.isFinished)
    }

    /// Found by the model: it stayed in hand, was kept from all others, and the worker never left.
    @Test func whatCouldNotBeBegunBeforeTheEndIsGivenBack() {
        var machine = machine()
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        _ = machine.step(.read("s", [id(1)]), now: .zero)
        _ = machine.step(.leave, now: .zero)
        _ = machine.step(.readFailed("s"), now: .zero)
        #expect(machine.step(.beginFailed("s", [id(1)]), now: .zero).contains(.leave("s")))
    }

    @Test func aHandlerThatDoesNotEndIsCancelled() {
        var machine = machine()
        _ = handling(&machine)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        _ = machine.step(.leave, now: .zero)
        _ = machine.step(.readFailed("s"), now: .zero)
        #expect(machine.step(.drainOver, now: .seconds(1)).contains(.cancelHandlers))
        // Neither a retry nor a letter: it was this worker's end, not its fault.
        let cut = machine.step(.failed(entry(1), .init(text: "cancelled")), now: .seconds(1))
        #expect(cut.contains(.leave("s")))
    }

    /// Else its heartbeat would keep the entry from all others for as long as the process lives.
    @Test func aHandlerThatIgnoresItsEndKeepsNothing() {
        var machine = machine()
        _ = handling(&machine)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        _ = machine.step(.leave, now: .zero)
        _ = machine.step(.readFailed("s"), now: .zero)
        #expect(!machine.step(.drainOver, now: .seconds(1)).contains(.leave("s")))
        #expect(machine.step(.cancelOver, now: .seconds(3)).contains(.leave("s")))
        #expect(machine.running == 0)
        _ = machine.step(.left("s"), now: .seconds(3))
        #expect(machine.isFinished && machine.step(.handled(entry(1)), now: .seconds(9)).isEmpty)
    }

    @Test func withLittleRoomOnePartitionIsClaimedAtATime() {
        var machine = machine(lanes: 1)
        func claims(_ actions: [WorkMachine.Action]) -> [String] {
            actions.compactMap { if case .claim(let name, _, 1) = $0 { name } else { nil } }
        }
        #expect(claims(machine.step(.partitions(["a", "b", "c"]), now: .zero)) == ["a"])
        #expect(claims(machine.step(.claimed("a", [], next: .zero), now: .zero)) == ["b"])
        #expect(claims(machine.step(.claimFailed("b"), now: .zero)) == ["c"])
        // It has become full.
        #expect(claims(machine.step(.claimed("c", [id(1)], next: .zero), now: .seconds(9))) == [])
    }

    @Test func tooManyThatFailStopTheReading() {
        var machine = machine(lanes: 1, retries: 5)
        _ = machine.step(.partitions(["s"]), now: .zero)
        for number in 1...64 {
            _ = machine.step(.read("s", [id(UInt64(number))]), now: .zero)
            _ = machine.step(.begun("s", [id(UInt64(number)): 1]), now: .zero)
            _ = machine.step(.failed(entry(UInt64(number)), .init(text: "no")), now: .zero)
        }
        #expect(machine.waitingCount == 64)
        #expect(!machine.step(.read("s", []), now: .zero).contains { if case .read = $0 { true } else { false } })
    }

    /// Random deaths, departures and lost messages: all is handled, nothing healthy is buried, no two
    /// attempts at an entry have one number, and nothing is left behind.
    @Test(arguments: 1...24, [Int.max, 1]) func eachEntryIsHandledWhateverHappens(seed: Int, fast: Int) {
        let poison = WorkEntry("a", StreamID(milliseconds: 7))
        var model = ModelWorkers(seed: UInt64(seed), lanes: 3, losses: seed % 3 == 0 ? 0 : 8) { $0 == poison }
        model.fast = fast
        var all: [WorkEntry] = []
        for _ in 0..<3 { model.start(["a"]) }
        var deaths = 0
        for round in 0..<40 {
            for name in round < 10 ? ["a"] : ["a", "b", "c"] {
                for _ in 0..<model.draw(4) {
                    let entry = WorkEntry(name, StreamID(milliseconds: UInt64(all.count + 1)))
                    all.append(entry)
                    model.add(entry)
                }
            }
            if round == 10 { model.spread(["a", "b", "c"]) }
            model.run(until: .milliseconds(100) * (round + 1))
            if seed % 2 == 0, model.draw(3) == 0 { model.deleteOne() }
            if deaths < 5, model.draw(6) == 0 {
                deaths += 1
                let alive = model.alive
                let victim = alive[model.draw(alive.count)]
                if model.draw(3) == 0 { model.leave(victim) } else { model.kill(victim) }
                model.start(round < 10 ? ["a"] : ["a", "b", "c"])
            }
        }
        model.run(until: .seconds(15))
        let healthy = all.filter { $0 != poison }
        let deleted = model.group.deleted
        #expect(healthy.allSatisfy { model.handled[$0] != nil || deleted.contains($0) }, "not handled")
        #expect(
            deleted.allSatisfy {
                model.handled[$0] != nil || model.buried[$0] != nil || model.group.told.contains($0)
            }, "lost without a word")
        #expect(
            model.buried.keys.allSatisfy { $0 == poison || deleted.contains($0) },
            "healthy and buried: \(model.buried)")
        #expect(!all.contains(poison) || model.buried[poison] != nil || deleted.contains(poison))
        #expect(model.handled[poison] == nil)
        #expect(model.group.pending.isEmpty && model.group.counts.isEmpty)
        #expect(!model.areLeaving, "a worker that was asked to leave is still there")
        #expect(model.mostBusy <= 3)
        #expect(model.miscounts == 0)
        if seed == 1 { #expect((model.combined > 0) == (fast == 1), "orders waited for each other") }
        for (entry, attempts) in model.attempts {
            #expect(Set(attempts).count == attempts.count, "\(entry): \(attempts)")
            #expect(attempts.allSatisfy { $0 <= ModelWorkers.retries + 1 })
        }
    }
}
