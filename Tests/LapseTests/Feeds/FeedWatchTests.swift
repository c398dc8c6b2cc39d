import Testing

@testable import Lapse

/// When a silent feed is given up, and whose the silence is: faults 38, 53 and 108.
struct FeedWatchTests {
    @Test func aFeedWithoutAByteWhoseNodeAnswersElsewhereIsDead() {
        var watch = FeedWatch(patience: 3)
        let found = (0..<3).map { _ in watch.answersElsewhere(hasHeard: false, hasSpoken: false) }
        #expect(found == [.unknown, .connection, .dead])
    }

    @Test("marks that do not come back are told from the second on, tried again, and over with the next that does")
    func marksThatDoNotComeBack() {
        var watch = FeedWatch(patience: 3)
        watch.marked(.unanswered, now: .seconds(2))
        #expect(!watch.marksGoUnanswered && watch.isFirstMark)
        watch.marked(.failed, now: .seconds(4))
        watch.marked(.unanswered, now: .seconds(8))
        #expect(watch.marksGoUnanswered)
        watch.marked(.numbered, now: .seconds(12))
        #expect(!watch.marksGoUnanswered && !watch.isFirstMark && !watch.isMarkDue(now: .seconds(60)))
        watch.marked(.unanswered, now: .seconds(62))
        #expect(!watch.isFirstMark && !watch.isMarkDue(now: .seconds(66)))
        #expect(watch.isMarkDue(now: .seconds(67)), "what it was to find out is still open")
        watch.marked(.unusable, now: .seconds(67))
        #expect(watch.isMarkDue(now: .seconds(72)))
        watch.marked(.numbered, now: .seconds(73))
        watch.marked(.failed, now: .seconds(75))
        #expect(!watch.isFirstMark && !watch.isMarkDue(now: .seconds(100)))
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
