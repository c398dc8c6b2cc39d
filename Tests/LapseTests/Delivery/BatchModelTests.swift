import LeaderElection
import Testing

@testable import Lapse

/// Random traffic on few keys in batches, of which some fail: each is handled once, in the order of the node, and what comes later of a
/// key that failed waits for it.
struct BatchModelTests {
    private struct Model {
        var machine = DeliveryMachine.leading(order: .ofNodes)
        var ordinal: UInt64 = 0
        var handled: [UInt64] = []
        /// Failed, and to be tried again: by key, in their order.
        var failed: [String: [UInt64]] = [:]
        var keys: [UInt64: String] = [:]
        var now = Duration.zero

        init() { machine.cursors.open("run", at: Cursor(through: 0)) }

        mutating func admit(_ key: String) {
            ordinal += 1
            keys[ordinal] = key
            machine.admitHere(.some(key, ordinal))
        }

        mutating func handleBatch(_ limit: Int, _ fails: () -> Bool) {
            let list = machine.take(limit)
            guard !list.isEmpty else { return }
            let fresh = list.filter { $0.attempt == 1 && !$0.holdsKey }.map(\.ordinal)
            #expect(fresh == fresh.sorted(), "in the order of the node")
            for delivery in list {
                let before = failed["\(delivery.key)"] ?? []
                #expect(
                    before.first ?? delivery.ordinal == delivery.ordinal, "one that failed before has not been handled")
                if delivery.attempt > 1 { #expect(list.count == 1, "it is tried again alone") }
            }
            var finished: UInt64 = 0
            var failing: [Delivery] = []
            for (index, delivery) in list.enumerated() {
                if fails() { failing.append(delivery) } else { finished |= 1 << UInt64(index) }
            }
            for index in list.indices where finished & 1 << UInt64(index) != 0 {
                let key = "\(list[index].key)"
                handled.append(list[index].ordinal)
                failed[key]?.removeAll { $0 == list[index].ordinal }
                if failed[key]?.isEmpty == true { failed[key] = nil }
            }
            machine.finish(finished, of: list)
            for delivery in failing {
                let key = "\(delivery.key)"
                if failed[key]?.contains(delivery.ordinal) != true { failed[key, default: []].append(delivery.ordinal) }
                let isKept = machine.retry(delivery, at: now + .milliseconds(10))
                #expect(isKept)
            }
        }
    }

    @Test(arguments: 0..<50)
    func eachOnceAndInOrder(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var model = Model()
        for _ in 0..<300 {
            model.now += .milliseconds(Int.random(in: 0...8, using: &random))
            _ = model.machine.releaseDue(now: model.now)
            if Int.random(in: 0..<3, using: &random) > 0 {
                for _ in 0..<Int.random(in: 1...5, using: &random) {
                    model.admit("key\(Int.random(in: 0..<6, using: &random))")
                }
            } else {
                let limit = Int.random(in: 1...Batch.limit, using: &random)
                model.handleBatch(limit) { Int.random(in: 0..<5, using: &random) == 0 }
            }
            #expect(model.machine.handedOut == 0)
            #expect(model.machine.pendingCount == Int(model.ordinal) - model.handled.count)
        }
        while model.handled.count < Int(model.ordinal) {
            model.now += .milliseconds(20)
            _ = model.machine.releaseDue(now: model.now)
            model.handleBatch(Batch.limit) { false }
        }
        #expect(model.handled.sorted() == Array(1...model.ordinal), "each once")
        #expect(model.machine.cursors["run"]?.pending.count == 0)
        #expect(model.machine.pendingCount == 0 && model.machine.waitingCount == 0 && model.machine.keys.isEmpty)
    }
}
