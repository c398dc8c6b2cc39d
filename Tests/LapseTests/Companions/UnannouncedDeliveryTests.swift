import LeaderElection
import NIOPosix
import RedisClient
import Testing
import Timing

@testable import Lapse

/// Expirations without a place in a log: they keep the order of their key, and touch no cursor.
struct UnannouncedDeliveryTests {
    private func found(_ key: String) -> Delivery {
        Delivery(ReconcileMachine.Orphan(timer: Array(key.utf8), database: 0), at: "10.0.0.1:6379", now: 0)
    }

    @Test func touchesNoCursor() {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 5))
        machine.admit(found("a"))
        #expect(machine.cursors.all == ["run": Cursor(through: 5)])
        #expect(machine.pendingCount == 1)
        machine.finish(machine.take(1)[0])
        #expect(machine.cursors.all == ["run": Cursor(through: 5)])
        #expect(machine.pendingCount == 0)
    }

    @Test func keepsTheOrderOfItsKey() {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 0))
        machine.admit(found("a"))
        machine.admitHere(.some("a", 1))
        #expect(machine.isUnderWay(found("a").keyHash))
        let first = machine.take(8)
        #expect(first.map(\.origin) == [.reconcile])
        #expect(machine.take(8).isEmpty)
        machine.finish(first[0])
        let second = machine.take(8)
        #expect(second.map(\.ordinal) == [1])
        machine.finish(second[0])
        #expect(!machine.isUnderWay(found("a").keyHash))
    }

    @Test func postponingIsNoAttempt() {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 0))
        machine.admitHere(.some("a", 1))
        machine.postpone(machine.take(1)[0], to: .seconds(1))
        _ = machine.releaseDue(now: .seconds(1))
        #expect(machine.take(1).map(\.attempt) == [1])
    }

    @Test func theDispatcherTakesThemOnlyWhileItLeads() {
        let dispatcher = Dispatcher(
            logs: LogSet(limitBytes: 1 << 20, limitAge: .seconds(60)),
            filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1,
            bell: Doorbell(on: MultiThreadedEventLoopGroup.singleton.any()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        #expect(dispatcher.update { $0.offer([found("a")]) }.count == 1)
        dispatcher.lead(token: FencingToken(rawValue: 1), progress: [:], now: 0)
        #expect(dispatcher.update { $0.offer([found("a")]) }.isEmpty)
        #expect(dispatcher.update { $0.offer([found("a")]) }.count == 1, "it is under way")
        dispatcher.stopHandingOut()
        #expect(dispatcher.update { $0.offer([found("b")]) }.count == 1)
    }
}
