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
                case .begin(let name, let orders):
                    begins += 1
                    events.append(.begun(name, Dictionary(uniqueKeysWithValues: orders.map { ($0.id, 1) })))
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
                case .begin("s", let orders):
                    events.append(.begun("s", Dictionary(uniqueKeysWithValues: orders.map { ($0.id, 1) })))
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
}
