import LeaderElection
import Testing

@testable import Lapse

/// A node with its counter, and two subscribers that come, go and lose stretches: they must give every
/// expiration the same number, and account for each one exactly once.
struct NumberingModelTests {
    private struct Subscriber {
        var numbering = Numbering()
        var isConnected = false
        /// Heard in this subscription and not numbered yet: what the truth calls them.
        var waiting: [UInt64] = []
        /// The truth of what was heard, by the ordinal given.
        var heard: [UInt64: UInt64] = [:]
        var missed: [ClosedRange<UInt64>] = []
        var first: UInt64?

        mutating func connect(base: Int64?) {
            isConnected = true
            numbering.begin()
            if let base { numbering.adopt(base: base) }
        }

        mutating func disconnect() {
            isConnected = false
            waiting = []
            if numbering.isNumbered { numbering.begin() }
        }

        mutating func hear(_ truth: UInt64) {
            let isNumbered = numbering.isNumbered
            let number = numbering.next()
            if isNumbered {
                #expect(heard.updateValue(truth, forKey: number) == nil, "two expirations with one number")
            } else {
                waiting.append(truth)
            }
        }

        /// The counter that belonged to the pinned mark has come.
        mutating func resolve(_ counter: UInt64) {
            switch numbering.resolve(counter: counter) {
            case .numbered(let offset, let missed):
                for (index, truth) in waiting.enumerated() {
                    #expect(heard.updateValue(truth, forKey: offset + UInt64(index) + 1) == nil)
                }
                waiting = []
                if let missed { self.missed.append(missed) }
                if first == nil { first = offset + 1 }
            case .missed(let ordinals): missed.append(ordinals)
            case .confirmed, .reset: break
            case .renumbered(let start, let shift):
                heard = Dictionary(
                    uniqueKeysWithValues: heard.map { ($0 > start ? $0 + shift : $0, $1) })
            case .surplus, nil: Issue.record("nothing was forged, and the mark was pinned")
            }
        }
    }

    @Test(arguments: 0..<60)
    func everyExpirationIsNumberedOnceOrInsideAGap(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var total: UInt64 = 0
        var counter = UInt64.random(in: 0...1_000, using: &random)
        /// The truth's name of an expiration is its counter had there been no reset.
        let start = counter
        var subscribers = [Subscriber(), Subscriber()]
        subscribers[0].connect(base: nil)

        func expire(_ hearers: [Int]) {
            total += 1
            counter += 1
            for index in hearers where subscribers[index].isConnected { subscribers[index].hear(start + total) }
        }
        func mark(_ index: Int, late: Int) {
            guard subscribers[index].isConnected else { return }
            subscribers[index].numbering.pin()
            let then = counter
            for _ in 0..<late { expire([0, 1]) }
            subscribers[index].resolve(then)
        }

        for _ in 0..<400 {
            let index = Int.random(in: 0...1, using: &random)
            switch Int.random(in: 0..<24, using: &random) {
            case 0, 1:
                if subscribers[index].isConnected {
                    subscribers[index].disconnect()
                } else {
                    // The first one leads: its word on the base is published.
                    subscribers[index].connect(base: index == 1 ? subscribers[0].numbering.base : nil)
                }
            case 2, 3, 4: mark(index, late: Int.random(in: 0...3, using: &random))
            case 5 where subscribers[index].numbering.isNumbered:
                // A stretch is lost on one connection, right before a mark.
                for _ in 0..<Int.random(in: 1...5, using: &random) { expire([1 - index]) }
                mark(index, late: 0)
            case 6 where subscribers[0].numbering.isNumbered && subscribers[0].isConnected && counter > 3:
                // The leader marks before the counter has regrown, when a reset could not be told from forged
                // messages.
                guard !subscribers[1].isConnected || subscribers[1].numbering.isNumbered else { continue }
                for each in 0...1 { mark(each, late: 0) }
                counter = 0
                for _ in 0..<Int.random(in: 0...3, using: &random) { expire([0, 1]) }
                for each in 0...1 { mark(each, late: 0) }
            default: expire([0, 1])
            }
        }
        for index in 0...1 {
            if !subscribers[index].isConnected {
                subscribers[index].connect(base: index == 1 ? subscribers[0].numbering.base : nil)
            }
            mark(index, late: 0)
            account(subscribers[index], last: start + total)
        }
        #expect(subscribers[0].numbering.base == subscribers[1].numbering.base)
    }

    private func account(_ subscriber: Subscriber, last: UInt64) {
        for (ordinal, truth) in subscriber.heard where ordinal != truth {
            Issue.record("number \(truth) was called \(ordinal)")
            return
        }
        guard let first = subscriber.first else { return }
        let all = subscriber.heard.keys.sorted() + subscriber.missed.flatMap(Array.init)
        let isComplete = all.sorted() == Array(first..<(last + 1))
        #expect(isComplete, "each exactly once: numbered, or inside a gap")
    }
}
