import LeaderElection
import Testing

@testable import Lapse

struct TrailingQuestionsTests {
    @Test("each comes when its time has come, and not much later", arguments: 0..<20 as Range<UInt64>)
    func eachInItsTime(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var trailing = TrailingQuestions()
        var waiting: [Int: Int64] = [:]
        var now: Int64 = 5_000_000_000
        for place in 0..<2_000 {
            // Sometimes longer than a round of the ring.
            now += Int64.random(in: 0...(place % 500 == 0 ? 9_000_000_000 : 3_000_000), using: &random)
            while let due = trailing.popDue(now: now) {
                let time = waiting.removeValue(forKey: due) ?? .max
                #expect(time <= now)
            }
            #expect(waiting.values.allSatisfy { $0 > now - 20_000_000 })
            #expect(trailing.count == waiting.count)
            let time = now + Int64.random(in: 0...1_000_000_000, using: &random)
            trailing.add(place, at: time, now: now)
            waiting[place] = time
            if let next = trailing.next, let first = waiting.values.min() {
                #expect(next > first && next <= first + 34_000_000)
            }
        }
    }

    @Test func nothingWaits() {
        var trailing = TrailingQuestions()
        #expect(trailing.next == nil)
        #expect(trailing.popDue(now: .max / 2) == nil)
    }
}
