import LeaderElection
import Testing

@testable import Lapse

/// Random traffic on few keys: the expirations of one key are handled in order and never two at once
/// (I10), and what is pending is exact at every step.
struct DeliveryModelTests {
    private struct Model {
        var machine = DeliveryMachine.leading()
        var underWay: [Delivery] = []
        var began: [String: [UInt64]] = [:]
        var admitted: [String: [UInt64]] = [:]
        var open: Set<UInt64> = []
        var ordinal: UInt64 = 0
        var now = Duration.zero

        init() { machine.cursors.open("run", at: Cursor(through: 0)) }

        mutating func admit(_ key: String) {
            ordinal += 1
            machine.admitHere(.some(key, ordinal))
            admitted[key, default: []].append(ordinal)
            open.insert(ordinal)
        }

        mutating func take(_ limit: Int) {
            for delivery in machine.take(limit) {
                #expect(!underWay.contains { $0.key == delivery.key }, "two of one key at once")
                if delivery.attempt == 1 { began["\(delivery.key)", default: []].append(delivery.ordinal) }
                underWay.append(delivery)
            }
        }

        mutating func finish(_ index: Int) {
            let delivery = underWay.remove(at: index)
            machine.finish(delivery)
            open.remove(delivery.ordinal)
        }

        mutating func check() {
            #expect(machine.pendingCount == open.count)
            #expect(machine.cursors["run"]?.pending == PendingOrdinals(open))
            #expect(machine.cursors["run"]?.through == ordinal)
        }
    }

    @Test(arguments: 0..<30)
    func keepsTheOrderOfEachKey(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var model = Model()
        for _ in 0..<400 {
            model.now += .milliseconds(Int.random(in: 0...20, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3: model.admit("key\(Int.random(in: 0..<6, using: &random))")
            case 4, 5: model.take(Int.random(in: 0...4, using: &random))
            case 6, 7:
                guard let index = model.underWay.indices.randomElement(using: &random) else { continue }
                model.finish(index)
            case 8:
                guard let index = model.underWay.indices.randomElement(using: &random) else { continue }
                let delay = Duration.milliseconds(Int.random(in: 0...100, using: &random))
                model.machine.retry(model.underWay.remove(at: index), at: model.now + delay)
            default:
                let next = model.machine.releaseDue(now: model.now)
                #expect(next.map { $0 > model.now } ?? true)
            }
            model.check()
        }
        drain(&model)
        #expect(model.open.isEmpty)
        #expect(model.machine.cursors["run"]?.settled == model.ordinal)
        #expect(model.began == model.admitted, "each began once for the first time, in the order of its key")
    }

    private func drain(_ model: inout Model) {
        for _ in 0..<10_000 where !model.open.isEmpty {
            model.now += .seconds(1)
            _ = model.machine.releaseDue(now: model.now)
            model.take(3)
            if !model.underWay.isEmpty { model.finish(0) }
        }
    }
}
