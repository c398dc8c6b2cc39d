import RedisClient
import Testing

@testable import Lapse

/// What a worker has in hand is bounded in bytes, too: the kernel kills one that has too much, and each
/// death counts an attempt.
@Suite struct WorkBytesTests {
    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number) }

    private func machine() -> WorkMachine {
        WorkMachine(.init(lanes: 64, retries: .init(retries: 1), claimAfter: .seconds(8)))
    }

    /// The partitions that are read or claimed.
    private func asked(_ actions: [WorkMachine.Action]) -> Set<String> {
        Set(
            actions.compactMap { action -> String? in
                switch action {
                case .read(let name, _), .claim(let name, _, _), .reclaim(let name, _, _, _): name
                default: nil
                }
            })
    }

    @Test("with 64 MiB in hand nothing is asked for, and again when they have become less")
    func bound() {
        var machine = machine()
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.claimed("s", [], next: .zero), now: .zero)
        #expect(asked(machine.step(.read("s", [id(1)], bytes: [40 << 20]), now: .zero)) == ["s"])
        #expect(asked(machine.step(.read("s", [id(2)], bytes: [30 << 20]), now: .zero)).isEmpty)
        #expect(asked(machine.step(.tick, now: .seconds(60))).isEmpty)
        _ = machine.step(.begun("s", [id(1): 1, id(2): 1]), now: .seconds(60))
        #expect(asked(machine.step(.handled(.init("s", id(1))), now: .seconds(60))).isEmpty, "it is in hand still")
        #expect(asked(machine.step(.acknowledged("s", [id(1)]), now: .seconds(60))) == ["s"])
        #expect(machine.bytes == 30 << 20)
    }

    @Test("one entry is taken, whatever its size")
    func oneAlways() {
        var machine = machine()
        #expect(asked(machine.step(.partitions(["s"]), now: .zero)) == ["s"])
        #expect(asked(machine.step(.read("s", [id(1)], bytes: [Int.max / 2]), now: .zero)).isEmpty)
        _ = machine.step(.begun("s", [id(1): 1]), now: .zero)
        _ = machine.step(.handled(.init("s", id(1))), now: .zero)
        #expect(asked(machine.step(.acknowledged("s", [id(1)]), now: .zero)) == ["s"])
    }

    @Test("a partition with large entries that falls silent keeps the others from nothing")
    func silent() {
        var machine = machine()
        _ = machine.step(.partitions(["silent", "s"]), now: .zero)
        _ = machine.step([.claimed("silent", [], next: .zero), .claimed("s", [], next: .zero)], now: .zero)
        let large = machine.step(.read("silent", [id(1), id(2)], bytes: [30 << 20, 30 << 20]), now: .zero)
        #expect(asked(large).isEmpty, "the other one is being read already")
        #expect(asked(machine.step(.read("s", [id(3)], bytes: [1 << 20]), now: .seconds(60))) == ["s"])
    }

    @Test("so many are asked for that an answer is of about 8 MiB")
    func answers() {
        var machine = machine()
        func next(_ ids: ClosedRange<UInt64>, of size: Int) -> Int? {
            let read = WorkMachine.Event.read("s", ids.map { id($0) }, bytes: ids.map { _ in size })
            let limits: [Int] = machine.step(read, now: .zero).compactMap {
                if case .read(_, let limit) = $0 { limit } else { nil }
            }
            return limits.first
        }
        _ = machine.step(.partitions(["s"]), now: .zero)
        #expect(next(1...16, of: 1 << 20) == 8)
        #expect(next(17...24, of: 100) == 16)
        #expect(next(25...40, of: 100) == 32)
        #expect(next(41...41, of: 16 << 20) == 1)
    }
}
