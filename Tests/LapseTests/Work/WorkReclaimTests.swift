import RedisClient
import Testing

@testable import Lapse

/// What a worker does when an answer does not come: what it held is in the worker's name, and in no
/// hand.
@Suite struct WorkReclaimTests {
    @Test("without a limit of retries no attempt is the last")
    func unlimited() {
        var machine = WorkMachine(.init(lanes: 4, retries: .init(retries: .max), claimAfter: .seconds(8)))
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [StreamID(milliseconds: 1)]), now: .zero)
        let begun = machine.step(.begun("s", [StreamID(milliseconds: 1): 1000]), now: .zero)
        #expect(begun.contains(.handle(.init("s", StreamID(milliseconds: 1)), attempt: 1000)))
    }

    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number) }

    private func machine(lanes: Int) -> WorkMachine {
        WorkMachine(.init(lanes: lanes, retries: .init(retries: 1), claimAfter: .seconds(8)))
    }

    private func reclaims(_ actions: [WorkMachine.Action]) -> [WorkMachine.Action] {
        actions.filter { if case .reclaim = $0 { true } else { false } }
    }

    private func claims(_ actions: [WorkMachine.Action]) -> Bool {
        actions.contains { if case .claim = $0 { true } else { false } }
    }

    @Test("it asks for what the answer held before it claims anything of others, beside what it has")
    func reclaimed() {
        var machine = machine(lanes: 4)
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1)]), now: .zero)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        let failed = machine.step(.readFailed("s"), now: .zero)
        #expect(reclaims(failed).isEmpty, "not at once")
        let due = machine.step(.tick, now: .milliseconds(100))
        #expect(reclaims(due) == [.reclaim("s", from: .zero, limit: 4, held: [id(1)])])
        #expect(!claims(due))
        let more = machine.step(.claimed("s", [id(2)], next: id(2)), now: .milliseconds(100))
        #expect(reclaims(more) == [.reclaim("s", from: id(2), limit: 3, held: [id(1), id(2)])])
        let all = machine.step(.claimed("s", [], next: .zero), now: .milliseconds(100))
        #expect(reclaims(all).isEmpty && claims(all))
    }

    @Test("an answer lost while it does so, or of its own, is asked for from the beginning")
    func lostAgain() {
        var machine = machine(lanes: 4)
        _ = machine.step(.partitions(["s"]), now: .zero)
        let failed = machine.step(.claimFailed("s"), now: .zero) + machine.step(.tick, now: .seconds(1))
        #expect(reclaims(failed) == [.reclaim("s", from: .zero, limit: 5, held: [])])
        _ = machine.step(.readFailed("s"), now: .seconds(1))
        let more = machine.step(.claimed("s", [], next: id(7)), now: .seconds(2))
        #expect(reclaims(more) == [.reclaim("s", from: .zero, limit: 5, held: [])])
        let again = machine.step(.claimFailed("s"), now: .seconds(2)) + machine.step(.tick, now: .seconds(4))
        #expect(reclaims(again) == [.reclaim("s", from: .zero, limit: 5, held: [])])
    }

    @Test("less is asked for after an answer that did not come, and more only after one that was full")
    func limits() {
        var machine = machine(lanes: 1024)
        var now = Duration.zero
        func next(_ event: WorkMachine.Event) -> Int? {
            var actions = machine.step(event, now: now)
            now += .seconds(1)
            actions += machine.step(.tick, now: now)
            let limits: [Int] = actions.compactMap { if case .read(_, let limit) = $0 { limit } else { nil } }
            return limits.first
        }
        #expect(next(.partitions(["s"])) == 256)
        #expect(next(.readFailed("s")) == 128)
        #expect(next(.readFailed("s")) == 64)
        #expect(next(.read("s", [])) == 64, "nothing was there, and the next answer may be as large as the one before")
        #expect(next(.read("s", (1...64).map { id($0) })) == 128)
    }
}
