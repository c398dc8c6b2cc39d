import LeaderElection
import Testing

@testable import Lapse

/// Random traffic on few keys in batches, of which some fail: each is handled once, in the order of the
/// node, and what comes later of a key that failed waits for it.
struct BatchModelTests {
    private struct Model {
        var machine = DeliveryMachine.leading(order: .ofNodes)
        /// The last log is of the first one's node, which was started again.
        var ordinals = [UInt64](repeating: 0, count: 4)
        var handled: [String: [UInt64]] = [:]
        var onTheirWay: [NodeBatch] = []
        /// Failed, and to be tried again: by key, in their order.
        var failed: [String: [UInt64]] = [:]
        var now = Duration.zero

        init() {
            for node in ordinals.indices { machine.cursors.open("run\(node)", at: Cursor(through: 0)) }
        }

        /// A key is on one node.
        mutating func admit(_ key: Int, _ node: Int) {
            ordinals[node] += 1
            machine.admit(
                Delivery(
                    Array("\(node):\(key)".utf8), database: 0,
                    process: NodeProcess(runID: "run\(node)", node: "10.0.0.\(node % 3):6379"), ordinal: ordinals[node],
                    origin: .live, received: 0, cursorIndex: machine.cursors.index(of: "run\(node)")))
        }

        var count: Int { handled.values.reduce(0) { $0 + $1.count } }

        mutating func takeBatch(_ limit: Int) -> NodeBatch? {
            guard let batch = machine.takeBatch(upTo: limit) else { return nil }
            let list = batch.deliveries
            let isNodeFree = onTheirWay.allSatisfy { $0.deliveries[0].node != list[0].node }
            #expect(isNodeFree, "one batch of a node at a time")
            #expect(list.allSatisfy { $0.runID == list[0].runID } && list.count <= limit)
            let fresh = list.filter { $0.attempt == 1 && !$0.holdsKey }.map(\.ordinal)
            #expect(fresh == fresh.sorted(), "in the order of the node")
            for delivery in list {
                let before = failed["\(delivery.key)"] ?? []
                #expect(
                    before.first ?? delivery.ordinal == delivery.ordinal, "one that failed before has not been handled")
                if delivery.attempt > 1 { #expect(list.count == 1, "it is tried again alone") }
            }
            return batch
        }

        mutating func end(_ batch: NodeBatch, _ fails: () -> Bool) {
            let list = batch.deliveries
            let failing = list.indices.filter { _ in fails() }
            for index in list.indices where !failing.contains(index) {
                let key = "\(list[index].key)"
                handled[list[index].runID, default: []].append(list[index].ordinal)
                failed[key]?.removeAll { $0 == list[index].ordinal }
                if failed[key]?.isEmpty == true { failed[key] = nil }
            }
            let handled = list.indices.filter { !failing.contains($0) }
            machine.finish(Array(RangeSet(handled.map { $0..<$0 + 1 }).ranges), of: batch)
            for delivery in failing.map({ list[$0] }) {
                let key = "\(delivery.key)"
                if failed[key]?.contains(delivery.ordinal) != true { failed[key, default: []].append(delivery.ordinal) }
                let isKept = machine.retry(delivery, at: now + .milliseconds(10))
                #expect(isKept)
            }
            machine.isBack(batch)
        }
    }

    @Test(arguments: 0..<50)
    func eachOnceAndInOrder(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var model = Model()
        for _ in 0..<400 {
            model.now += .milliseconds(Int.random(in: 0...8, using: &random))
            _ = model.machine.releaseDue(now: model.now)
            switch Int.random(in: 0..<6, using: &random) {
            case 0..<3:
                let node = Int.random(in: 0..<4, using: &random)
                for _ in 0..<Int.random(in: 1...5, using: &random) {
                    model.admit(Int.random(in: 0..<4, using: &random), node)
                }
            case 3:
                let limit = Int.random(in: 1...NodeBatch.limit, using: &random)
                if let batch = model.takeBatch(limit) { model.onTheirWay.append(batch) }
            case 4 where Int.random(in: 0..<4, using: &random) == 0:
                // The lane puts it down.
                if let batch = model.onTheirWay.popLast() { model.machine.giveBack(batch) }
            default:
                guard let index = model.onTheirWay.indices.randomElement(using: &random) else { continue }
                model.end(model.onTheirWay.remove(at: index)) { Int.random(in: 0..<5, using: &random) == 0 }
            }
            #expect(model.machine.handedOut == model.onTheirWay.reduce(0) { $0 + $1.deliveries.count })
            #expect(model.machine.pendingCount == Int(model.ordinals.reduce(0, +)) - model.count)
        }
        while let batch = model.onTheirWay.popLast() { model.end(batch) { false } }
        while model.count < Int(model.ordinals.reduce(0, +)) {
            model.now += .milliseconds(20)
            _ = model.machine.releaseDue(now: model.now)
            while let batch = model.takeBatch(NodeBatch.limit) { model.end(batch) { false } }
        }
        for (node, last) in model.ordinals.enumerated() {
            #expect(model.handled["run\(node)"]?.sorted() == Array(1...last), "each once")
            #expect(model.machine.cursors["run\(node)"]?.pending.count == 0)
        }
        #expect(model.machine.pendingCount == 0 && model.machine.waitingCount == 0 && model.machine.keys.isEmpty)
        #expect(model.machine.readyCount == 0)
    }
}
