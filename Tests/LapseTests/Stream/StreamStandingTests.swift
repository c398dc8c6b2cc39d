import ExpirationStream
import Testing

@testable import Lapse

/// What a leader knows of a partition, over failures, fail-overs and terms.
@Suite struct StreamStandingTests {
    private static let writer = StreamAppend.Writer(store: "redis", token: 7, epoch: 0)

    private func standing() -> StreamStanding {
        var standing = StreamStanding(recent: RecentAppends(age: .seconds(30)))
        standing.begin(Self.writer)
        return standing
    }

    private func answer(before: UInt64, _ appended: Int, has: Int = 0) -> StreamAppend.Answer {
        let verdicts =
            Array(repeating: StreamCursor.Verdict.has, count: has)
            + Array(repeating: StreamCursor.Verdict.append, count: appended)
        return .init(verdicts: verdicts, before: before, vanished: 0, unread: 0)
    }

    private var part: RecentAppends.Part {
        .init(runID: "run", entries: StreamEntries(ordinals: 1...1))
    }

    @Test(
        "a slow partition is given more time with each call that fails, and what it takes at its best once it answers")
    func patience() {
        var standing = standing()
        var timeouts = [standing.timeout]
        for second in 1...5 as ClosedRange<Int> {
            standing.hasFailed(now: .seconds(second))
            #expect(standing.pause(now: .seconds(second)) == StreamStanding.pause)
            #expect(standing.pause(now: .seconds(second + 1)) == .zero)
            timeouts.append(standing.timeout)
        }
        #expect(timeouts == [2000, 500, 1000, 2000, 2000, 2000].map { .milliseconds($0) })
        #expect(standing.isFailing)
        #expect(standing.hasRecovered() && !standing.hasRecovered())
        #expect(standing.timeout == .seconds(2) && standing.pause(now: .seconds(5)) == .zero)
    }

    @Test("what was brought before the bringing was interrupted is not lost")
    func interrupted() {
        var standing = standing()
        standing.took(answer(before: 0, 70))
        standing.isBehind(50)
        standing.took(answer(before: 50, 10))
        // No answer; then all that is kept is sent again.
        standing.took(answer(before: 60, 10, has: 10))
        let told = standing.wasBrought()
        #expect(told?.missing == 20 && told?.again == 20)
        #expect(!standing.isBehind && standing.wasBrought() == nil)
    }

    @Test("what was not kept is lost, also over a second fail-over meanwhile")
    func lost() {
        var standing = standing()
        standing.took(answer(before: 0, 70))
        standing.isBehind(50)
        standing.took(answer(before: 50, 10))
        standing.isBehind(40)
        standing.took(answer(before: 40, 15))
        let told = standing.wasBrought()
        #expect(told?.missing == 30 && told?.again == 15)
    }

    @Test("what was appended is kept until a server has said that it has it, however long it does not answer")
    func kept() {
        var standing = standing()
        standing.isIn(part, now: .seconds(1))
        standing.took(answer(before: 0, 1))
        standing.hasFailed(now: .seconds(100))
        standing.isBehind(0)
        standing.hasAll(asked: .seconds(200))
        #expect(!standing.recent.isEmpty, "it lacks it")
        standing.took(answer(before: 0, 1))
        _ = standing.wasBrought()
        standing.hasAll(asked: .seconds(20))
        #expect(!standing.recent.isEmpty)
        standing.hasAll(asked: .seconds(31))
        #expect(standing.recent.isEmpty)
    }

    @Test func anotherTermKnowsNothing() {
        var standing = standing()
        standing.isIn(part, now: .seconds(1))
        standing.took(answer(before: 0, 9))
        standing.hasFailed(now: .seconds(1))
        standing.begin(Self.writer)
        #expect(standing.known == 9 && standing.isFailing)
        standing.begin(.init(store: "redis", token: 8, epoch: 0))
        #expect(standing.known == 0 && !standing.isFailing && standing.recent.isEmpty)
        #expect(standing.timeout == .seconds(2))
    }
}
