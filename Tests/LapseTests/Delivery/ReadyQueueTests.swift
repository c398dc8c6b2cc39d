import LeaderElection
import Testing

@testable import Lapse

struct ReadyQueueTests {
    private static let node = NodeProcess(runID: "run", node: "10.0.0.1:6379")

    /// A list of one stretch, as a log's reader makes it.
    private func stretch(_ ordinals: ClosedRange<UInt64>) -> DeliveryList {
        var log = ExpirationLog()
        for ordinal in ordinals {
            let key = Array("key\(ordinal)".utf8)
            // Unsafe in name only: a byte has no padding.
            log.append(
                unsafe key.span.bytes, database: 0, number: ordinal, isNumbered: true, now: 1, provenance: .vouched)
        }
        let slice = LogSlice(
            log.copy(from: ordinals.lowerBound, upTo: ordinals.count, bytes: 1 << 10), of: Self.node, since: 0,
            cursorIndex: 0)
        var list = DeliveryList(of: slice, reserving: ordinals.count)
        for index in 0..<ordinals.count {
            list.append(DeliveryEntry(index, Delivery.some("key\(ordinals.lowerBound + UInt64(index))", 0).keyHash))
        }
        return list
    }

    @Test("stretches, single ones and what is put back come out in the order of a plain array", arguments: 0..<50)
    func agreesWithAnArray(_ seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var queue = ReadyQueue()
        var model: [UInt64] = []
        var next: UInt64 = 1
        for _ in 0..<400 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                let last = next + .random(in: 0..<80, using: &random)
                queue.append(stretch(next...last))
                model += next...last
                next = last + 1
            case 1:
                queue.append(.some("key\(next)", next))
                model.append(next)
                next += 1
            default:
                let taken = queue.take(.random(in: 0...64, using: &random))
                #expect(taken.map(\.ordinal) == Array(model.prefix(taken.count)))
                #expect(taken.allSatisfy { "\($0.key)" == "key\($0.ordinal)" && $0.attempt == 1 })
                model.removeFirst(taken.count)
                let back = taken.suffix(.random(in: 0...max(1, taken.count), using: &random))
                if Bool.random(using: &random) {
                    queue.prepend(back)
                    model = back.map(\.ordinal) + model
                }
            }
            #expect(queue.count == model.count)
        }
        while !model.isEmpty {
            let taken = queue.take(64)
            try #require(!taken.isEmpty)
            #expect(taken.map(\.ordinal) == Array(model.prefix(taken.count)))
            model.removeFirst(taken.count)
        }
        let rest = queue.take(64)
        #expect(rest.isEmpty && queue.count == 0)
    }

    @Test func smallStretchesAreJoinedUntilThereIsAQuarter() {
        var queue = ReadyQueue()
        for begin in [1, 101, 201] as [UInt64] { queue.append(stretch(begin...begin + 9)) }
        let taken = [64, 4, 1, 64].map { queue.take($0).map(\.ordinal) }
        #expect(taken == [Array(1...10) + Array(101...110), Array(201...204), [205], Array(206...210)])
    }

    @Test func aPartMayGrow() {
        var list = stretch(1...9)
        list = list.part(2..<5)
        list.append(.some("key40", 40))
        list = list.part(1..<4)
        list.append(contentsOf: stretch(50...51))
        #expect(list.map(\.ordinal) == [4, 5, 40, 50, 51])
        #expect(list.map { "\($0.key)" } == ["key4", "key5", "key40", "key50", "key51"])
    }
}
