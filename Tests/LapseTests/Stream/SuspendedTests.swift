import ExpirationStream
import LeaderElection
import RedisClient
import Testing

@testable import Lapse

/// What a partition out of reach leaves behind in the delivery machine: nothing is an attempt, and
/// nothing is lost.
@Suite struct SuspendedTests {
    private func machine(_ keys: [String], room: Int) -> DeliveryMachine {
        var machine = DeliveryMachine.leading(.init(perKey: 1024, entries: room), order: .ofNodes)
        machine.cursors.open("run", at: Cursor(through: 0))
        for (index, key) in keys.enumerated() { machine.admitHere(.some(key, UInt64(index + 1))) }
        return machine
    }

    @Test("it comes again as the same attempt, alone, with later ones of its key behind it; others go on")
    func waits() throws {
        var machine = machine(["a", "b", "a"], room: 10)
        let taken = machine.takeBatch()
        let batch = try #require(taken)
        let list = Array(batch.deliveries)
        machine.finish([1..<2], of: batch)
        #expect(machine.suspend([list[0], list[2]], to: .seconds(1)).isEmpty)
        machine.isBack(batch)
        #expect(machine.takeBatch() == nil)
        #expect(machine.releaseDue(now: .seconds(1)) == nil)
        for ordinal in [1, 3] as [UInt64] {
            let following = machine.takeBatch()
            let next = try #require(following)
            #expect(next.deliveries.map(\.ordinal) == [ordinal] && next.deliveries.map(\.attempt) == [1])
            machine.finish([0..<1], of: next)
            machine.isBack(next)
        }
        #expect(machine.cursors["run"] == Cursor(through: 3))
    }

    @Test("what has waited its time and is not handled takes room as well, over any number of rounds")
    func theBoundHolds() throws {
        var machine = machine((1...12).map { "k\($0)" }, room: 4)
        for round in 1...20 {
            let taken = machine.takeBatch()
            let batch = try #require(taken)
            let left = machine.suspend(Array(batch.deliveries), to: .seconds(round))
            machine.giveBack(left)
            machine.isBack(batch)
            _ = machine.releaseDue(now: .seconds(round))
            #expect(machine.waitingCount + machine.turns.aloneCount <= 4)
        }
        // The server is back.
        var handled: [UInt64] = []
        while let batch = machine.takeBatch() {
            handled += batch.deliveries.map(\.ordinal)
            machine.finish([0..<batch.deliveries.count], of: batch)
            machine.isBack(batch)
        }
        #expect(handled.sorted() == Array(1...12))
        #expect(machine.cursors["run"] == Cursor(through: 12) && machine.takeActions().surplus.isEmpty)
        #expect(machine.turns.aloneCount == 0 && machine.turns.aloneBytes == 0)
    }

    @Test("a log stands before it is too far beyond what waits, and goes on once that is handled")
    func farBeyond() throws {
        let node = NodeAddress(host: "10.0.0.1", port: 6379)
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        logs.log(of: "run", at: node).hear((1...2000).map { "k\($0)" })
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1, order: .ofNodes,
            bounds: .init(perKey: 8, entries: 8, distance: 1000))
        machine.note(.oneMaster(at: node))
        machine.begin(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        var handled: [UInt64] = []
        while let batch = machine.takeBatch() {
            let isFirst = batch.deliveries[0].ordinal == 1
            if isFirst { #expect(machine.suspend([batch.deliveries[0]], to: .seconds(1)).isEmpty) }
            let rest = (isFirst ? 1 : 0)..<batch.deliveries.count
            handled += rest.map { batch.deliveries[$0].ordinal }
            machine.finish([rest], of: batch)
            machine.isBack(batch)
        }
        let last = try #require(handled.last)
        #expect(last >= 1000 && last < 1000 + UInt64(NodeBatch.limit), "\(last)")

        // Its partition is back.
        _ = machine.releaseDue(now: .seconds(1))
        while let batch = machine.takeBatch() {
            handled += batch.deliveries.map(\.ordinal)
            machine.finish([0..<batch.deliveries.count], of: batch)
            machine.isBack(batch)
        }
        #expect(handled.sorted() == Array(1...2000))
        #expect(machine.cursors["run"] == Cursor(through: 2000))
    }

    @Test("what waits for a partition is still known to be missing there, however far the others are")
    func withinTheWindow() throws {
        let bounds = WaitingRoom.Bounds(for: StreamDestination(try StreamKeys("out", partitions: 2)))
        var cursor = StreamCursor()
        // With the longest stretch that is read at once.
        #expect(cursor.take(1 + bounds.distance + 4096, mark: 1) == .append)
        cursor.close()
        #expect(cursor.take(1, mark: 1) == .append)
        #expect(WaitingRoom.Bounds(for: nil).distance == .max)
    }

    @Test("where there is no room to wait they keep their turn")
    func noRoom() throws {
        var machine = machine(["a", "b", "c"], room: 1)
        let taken = machine.takeBatch()
        let batch = try #require(taken)
        let left = machine.suspend(Array(batch.deliveries), to: .seconds(1))
        #expect(left.map(\.ordinal) == [2, 3])
        machine.giveBack(left)
        machine.isBack(batch)
        let following = machine.takeBatch()
        let next = try #require(following)
        #expect(next.deliveries.map(\.ordinal) == [2, 3] && machine.takeActions().surplus.isEmpty)
        #expect(machine.cursors["run"]?.pending == [1, 2, 3])
    }
}
