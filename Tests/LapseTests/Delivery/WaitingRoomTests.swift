import RedisClient
import Testing

@testable import Lapse

/// What waits has bounds of its own, and holds up nothing else.
struct WaitingRoomTests {
    private func machine(_ bounds: WaitingRoom.Bounds, _ deliveries: [Delivery] = []) -> DeliveryMachine {
        var machine = DeliveryMachine.leading(bounds)
        machine.cursors.open("run", at: Cursor(through: 0))
        for delivery in deliveries { machine.admitHere(delivery) }
        return machine
    }

    /// Everything that may be handled now.
    private func takeAll(_ machine: inout DeliveryMachine) -> [Delivery] {
        var deliveries: [Delivery] = []
        while machine.readyCount > 0 { deliveries += machine.take(64) }
        return deliveries
    }

    @Test("a key's surplus is lost and counted, the oldest first; what is left keeps its order")
    func aLineIsBounded() throws {
        var machine = machine(.init(perKey: 4, entries: 100), (1...10).map { .some("hot", $0) } + [.some("other", 11)])
        #expect(machine.takeActions().surplus.map(\.ordinal) == [2, 3, 4, 5, 6])
        #expect(machine.takeActions().surplus.isEmpty, "it is told once")
        #expect(machine.waitingCount == 4 && machine.pendingCount == 6)
        let account = try #require(machine.cursors.account("run", last: 11))
        #expect(account.lost == 5 && account.pending == 6 && account.imbalance == 0)
        var handled: [UInt64] = []
        while machine.readyCount > 0 {
            for delivery in machine.take(8) {
                handled.append(delivery.ordinal)
                machine.finish(delivery)
            }
        }
        #expect(handled == [1, 11, 7, 8, 9, 10])
        #expect(machine.waitingCount == 0 && machine.pendingCount == 0)
    }

    @Test("long lines share what there is, and a line that is new still has a place")
    func linesShare() {
        var machine = machine(.init(perKey: 1000, entries: 100))
        var ordinal: UInt64 = 0
        for key in ["a", "b", "c", "new"] {
            for _ in 0..<(key == "new" ? 2 : 200) {
                ordinal += 1
                machine.admitHere(.some(key, ordinal))
            }
        }
        #expect(machine.waitingCount <= 101)
        let lost = machine.takeActions().surplus
        #expect(!lost.contains { "\($0.key)" == "new" })
        // Each waits behind one that is ready, or is ready, or is lost.
        #expect(machine.waitingCount + machine.readyCount + lost.count == Int(ordinal))
    }

    @Test("keys that take too much memory give up what waits behind them")
    func bytesAreBounded() {
        let large = String(repeating: "x", count: 10_000)
        let machine = machine(.init(perKey: 1000, entries: 1000, bytes: 50_000), (1...100).map { .some(large, $0) })
        #expect(machine.waitingCount == 5)
    }

    @Test("what fails finds no room: it is told, and nothing changes")
    func retriesAreBounded() {
        var machine = machine(.init(perKey: 4, entries: 2), [.some("a", 1), .some("b", 2), .some("c", 3)])
        let taken = takeAll(&machine)
        let answers = taken.map { machine.retry($0, at: .seconds(1)) }
        #expect(answers == [true, true, false])
        #expect(machine.pendingCount == 3)
        machine.finish(taken[2], as: .deadLettered)
        _ = machine.releaseDue(now: .seconds(1))
        #expect(takeAll(&machine).map(\.ordinal) == [1, 2])
    }

    @Test("what is out of reach finds no room: it is lost and counted, and its key goes on")
    func thePostponedAreBounded() throws {
        var machine = machine(.init(perKey: 4, entries: 2), [.some("a", 1), .some("b", 2), .some("b", 3)])
        let taken = takeAll(&machine)
        machine.postpone(taken[0], to: .seconds(1))
        machine.postpone(taken[1], to: .seconds(1))
        #expect(machine.takeActions().surplus.map(\.ordinal) == [2])
        #expect(takeAll(&machine).map(\.ordinal) == [3])
        let account = try #require(machine.cursors.account("run", last: 3))
        #expect(account.lost == 1 && account.pending == 2 && account.imbalance == 0)
    }

    @Test("however many retries are due, what was not tried yet has every second turn")
    func retriesTakeTurns() {
        var machine = machine(.init(), (1...100).map { .some("bad\($0)", $0) })
        for delivery in takeAll(&machine) { machine.retry(delivery, at: .seconds(1)) }
        _ = machine.releaseDue(now: .seconds(1))
        for ordinal in UInt64(101)...103 { machine.admit(.some("good\(ordinal)", ordinal)) }
        let turns = (0..<6).map { _ in machine.take(1)[0].ordinal > 100 }
        #expect(turns == [false, true, false, true, false, true])
        #expect(takeAll(&machine).count == 97, "and alone they have every turn")
    }

    @Test("many that wait keep their keys and numbers, but not their neighbours")
    func theyAreKeptAlone() {
        var machine = machine(.init(perKey: 3000, entries: 3000))
        let log = NodeLog(
            runID: "run", address: .init(host: "10.0.0.1", port: 6379), limitBytes: 1 << 20, limitAge: .seconds(60))
        log.hear((1...2000).map { $0 % 2 == 0 ? "hot" : "key\($0)" })
        var ordinal: UInt64 = 0
        while case .entries(let chunk) = log.next(after: ordinal, upTo: 500) {
            let slice = LogSlice(
                chunk, of: log.process, since: 0, cursorIndex: machine.cursors.index(of: log.runID))
            for index in 0..<chunk.count {
                let hash = chunk.withKey(index) { KeyHash($0, database: 0) }
                machine.admit(Delivery(slice, DeliveryEntry(index, hash)))
            }
            ordinal = chunk.last
        }
        var handled: [(UInt64, String)] = []
        var delayed = Set<UInt64>()
        var now = Duration.zero
        while handled.count < 2000 {
            now += .seconds(1)
            _ = machine.releaseDue(now: now)
            for delivery in machine.take(2000) {
                if delivery.attempt == 1, "\(delivery.key)" != "hot", delayed.insert(delivery.ordinal).inserted {
                    machine.retry(delivery, at: now + .seconds(1))
                    continue
                }
                handled.append((delivery.ordinal, "\(delivery.key)"))
                machine.finish(delivery)
            }
        }
        #expect(handled.allSatisfy { $0.1 == ($0.0 % 2 == 0 ? "hot" : "key\($0.0)") })
        #expect(handled.filter { $0.1 == "hot" }.map(\.0) == Array(stride(from: 2, through: 2000, by: 2)))
        #expect(machine.cursor("run")?.settled == 2000)
    }
}
