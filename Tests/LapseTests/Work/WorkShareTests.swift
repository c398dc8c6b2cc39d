import HeapModule
import RedisClient
import Testing

@testable import Lapse

/// What a worker's partitions share: orders, lanes and room.
@Suite struct WorkShareTests {
    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number) }

    @Test("what becomes free while attempts are being begun is begun by one order: few orders for many entries")
    func attemptsAreBegunTogether() {
        var machine = WorkMachine(.init(lanes: 64, retries: .init(retries: 3), claimAfter: .seconds(15)))
        var pending = machine.step(.partitions(["s"]), now: .zero)
        var begins = 0
        var added: UInt64 = 0
        var running: [WorkEntry] = []
        var handled = 0
        while handled < 10_000, !pending.isEmpty || !running.isEmpty {
            var events: [WorkMachine.Event] = []
            for action in pending {
                switch action {
                case .read(let name, let limit):
                    let ids = (0..<min(UInt64(limit), 10_000 - added)).map { id(added + $0 + 1) }
                    added += UInt64(ids.count)
                    if !ids.isEmpty { events.append(.read(name, ids)) }
                case .begin(let name, let orders, let done):
                    begins += 1
                    if !done.isEmpty { events.append(.acknowledged(name, done)) }
                    events.append(.begun(name, AttemptCounts(orders.map { ($0.id, 1) })))
                case .handle(let entry, _): running.append(entry)
                case .acknowledge(let name, let ids): events.append(.acknowledged(name, ids))
                default: break
                }
            }
            // Each handler tells by itself, in a step of its own, while orders are under way.
            pending = running.flatMap { machine.step(.handled($0), now: .zero) }
            handled += running.count
            running = []
            pending += machine.step(events, now: .zero)
        }
        #expect(handled == 10_000)
        #expect(begins < 10_000 / 16, "\(begins) orders")
    }

    @Test("a partition that answers no more keeps neither lanes nor room from the others", arguments: [2, 4, 64])
    func aSilentPartition(lanes: Int) {
        var machine = WorkMachine(.init(lanes: lanes, retries: .init(retries: 1), claimAfter: .seconds(8)))
        var pending = machine.step(.partitions(["silent", "s"]), now: .zero)
        var number: UInt64 = 0
        var handled = 0
        for _ in 0..<400 where handled < 100 {
            var events: [WorkMachine.Event] = []
            for action in pending {
                switch action {
                case .read(let name, let limit):
                    let ids = (0..<limit).map { id(number + UInt64($0) + 1) }
                    number += UInt64(limit)
                    events.append(.read(name, ids))
                case .begin("s", let orders, let done):
                    if !done.isEmpty { events.append(.acknowledged("s", done)) }
                    events.append(.begun("s", AttemptCounts(orders.map { ($0.id, 1) })))
                case .handle(let entry, _):
                    handled += 1
                    events.append(.handled(entry))
                case .acknowledge(let name, let ids): events.append(.acknowledged(name, ids))
                default: break
                }
            }
            pending = events.flatMap { machine.step($0, now: .zero) }
        }
        #expect(handled >= 100)
    }

    private func machine(lanes: Int) -> WorkMachine {
        let retries = RetryPolicy(retries: 9, first: .milliseconds(100), cap: .milliseconds(100))
        return WorkMachine(.init(lanes: lanes, retries: retries, claimAfter: .seconds(8)))
    }

    @Test("retries of a partition that fell silent take no room from the others", arguments: [4, 64])
    func retriesOfASilentPartition(lanes: Int) {
        var machine = machine(lanes: lanes)
        var number: UInt64 = 0
        var handled = 0
        var now = Duration.zero
        var pending = machine.step(.partitions(["silent"]), now: now)
        func answers(_ actions: [WorkMachine.Action], isSilent: Bool) -> [WorkMachine.Event] {
            actions.flatMap { action -> [WorkMachine.Event] in
                switch action {
                case .read(let name, let limit) where name != "silent" || !isSilent:
                    number += UInt64(limit)
                    return [.read(name, (0..<UInt64(limit)).map { id(number - $0) })]
                case .begin("silent", let orders, _) where isSilent: return [.beginFailed("silent", orders.map(\.id))]
                case .begin(let name, let orders, let done):
                    let acknowledged: [WorkMachine.Event] = done.isEmpty ? [] : [.acknowledged(name, done)]
                    return acknowledged + [.begun(name, AttemptCounts(orders.map { ($0.id, 1) }))]
                case .handle(let entry, _) where entry.partition == "silent":
                    return [.failed(entry, .init(text: "away"))]
                case .handle(let entry, _):
                    handled += 1
                    return [.handled(entry)]
                case .acknowledge(let name, let ids): return [.acknowledged(name, ids)]
                default: return []
                }
            }
        }
        // All that it may have is its own, and has failed.
        for _ in 0..<40 { pending = answers(pending, isSilent: false).flatMap { machine.step($0, now: now) } }
        #expect(machine.waitingCount >= lanes)
        pending += machine.step(.partitions(["silent", "a", "b", "c", "d", "e"]), now: now)
        for _ in 0..<400 where handled < 100 {
            now += .milliseconds(50)
            let events = answers(pending, isSilent: true)
            pending = machine.step(.tick, now: now) + events.flatMap { machine.step($0, now: now) }
        }
        #expect(handled >= 100)
    }

    @Test("what waited and is another worker's waits no more: it may come back")
    func lostWhileItWaited() {
        var machine = machine(lanes: 4)
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1)]), now: .zero)
        _ = machine.step(.begun("s", [id(1): 1]), now: .zero)
        _ = machine.step(.failed(WorkEntry("s", id(1)), .init(text: "once")), now: .zero)
        #expect(machine.waiting.count == 1 && machine.waitingCount == 1)
        _ = machine.step(.kept("s", lost: [id(1)]), now: .zero)
        #expect(machine.waiting.isEmpty && machine.waitingCount == 0)
    }

    @Test("where nothing is acknowledged no more is read")
    func acknowledgementsThatFail() {
        var machine = machine(lanes: 64)
        var pending = machine.step(.partitions(["s"]), now: .zero)
        var number: UInt64 = 0
        for _ in 0..<2_000 where !pending.isEmpty {
            var events: [WorkMachine.Event] = []
            for action in pending {
                switch action {
                case .read(let name, let limit):
                    number += UInt64(limit)
                    events.append(.read(name, (0..<UInt64(limit)).map { id(number - $0) }))
                case .begin(let name, let orders, _):
                    events.append(.begun(name, AttemptCounts(orders.map { ($0.id, 1) })))
                case .handle(let entry, _): events.append(.handled(entry))
                default: break
                }
            }
            pending = events.flatMap { machine.step($0, now: .zero) }
        }
        #expect(number > 4_000 && number < 6_000, "\(number) were read")
    }

    @Test("a handler that ended with the last of its time is none that does not end")
    func endedInTime() {
        var machine = machine(lanes: 4)
        _ = machine.step(.partitions(["s"]), now: .zero)
        _ = machine.step(.read("s", [id(1), id(2)]), now: .zero)
        _ = machine.step(.begun("s", [id(1): 1, id(2): 1]), now: .zero)
        _ = machine.step([.leave, .drainOver], now: .zero)
        _ = machine.step([.handled(WorkEntry("s", id(1))), .cancelOver], now: .zero)
        #expect(machine.givenUp == 1)
    }
}
