import Testing

@testable import Lapse

/// When a silent feed is given up, and whose the silence is: faults 38, 53 and 108.
struct FeedWatchTests {
    @Test func aFeedWithoutAByteWhoseNodeAnswersElsewhereIsDead() {
        var watch = FeedWatch(patience: 3)
        let found = (0..<3).map { _ in watch.answersElsewhere(hasHeard: false, hasSpoken: false) }
        #expect(found == [.unknown, .connection, .dead])
    }

    @Test("row 53: one that delivers is never given up, were its pong minutes away")
    func aFeedThatDelivers() {
        var watch = FeedWatch(patience: 3)
        for _ in 0..<100 {
            let found = watch.answersElsewhere(hasHeard: true, hasSpoken: true)
            #expect(found == .unknown)
        }
        _ = watch.answersElsewhere(hasHeard: false, hasSpoken: true)
        let second = watch.answersElsewhere(hasHeard: false, hasSpoken: true)
        #expect(second == .unknown, "it spoke after a silence: that stays in doubt")
        let third = watch.answersElsewhere(hasHeard: false, hasSpoken: true)
        #expect(third == .dead)
    }
}
