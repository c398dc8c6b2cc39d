import ExpirationStream
import RESP
import RedisClient
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
        .init(runID: "run", entries: StreamEntries(ordinals: 1...1), appended: 1)
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

    @Test("what finds a partition silent pauses it, whichever call that is; appending ends what an append has begun")
    func silence() {
        var standing = standing()
        standing.isSilent(now: .seconds(1))
        #expect(standing.isFailing && standing.pause(now: .seconds(1)) == StreamStanding.pause)
        #expect(standing.timeout == .milliseconds(500))
        let (first, second) = (standing.hasAnswered(), standing.hasAnswered())
        #expect(first && !second)
        #expect(!standing.isFailing && standing.pause(now: .seconds(1)) == .zero)
        standing.isSilent(now: .seconds(2))
        standing.hasFailed(now: .seconds(3))
        let isOver = standing.hasAnswered()
        #expect(!isOver && standing.isFailing)
        #expect(standing.pause(now: .seconds(3)) == StreamStanding.pause)
        #expect(standing.hasRecovered() && !standing.isFailing)
        standing.isSilent(now: .seconds(4))
        let isNews = standing.hasAnswered()
        #expect(isNews)
    }

    @Test("a call that was refused at once says nothing about others, one that was waited for does")
    func refusedAtOnce() {
        func tookItsTime(_ text: String) -> Bool { RedisError(RESPError(text), node: nil).tookItsTime }
        #expect(RedisError(.timeout, node: nil, "no answer").tookItsTime)
        #expect(tookItsTime("CLUSTERDOWN Hash slot not served") && tookItsTime("READONLY You can't write"))
        #expect(!tookItsTime("NOPERM this user has no permissions") && !tookItsTime("ERR unknown command"))
        #expect(!tookItsTime("WRONGTYPE the key holds a string"))
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

    @Test("an attempt that is interrupted goes on where it was, and behind what a second fail-over took")
    func goesOn() {
        var standing = standing()
        // Two processes that take turns: a call brings what is joined of each.
        for ordinal in 1...400 as ClosedRange<UInt64> {
            let runID = ordinal % 2 == 1 ? "a" : "b"
            let entries = StreamEntries(ordinals: ordinal...ordinal)
            standing.took(answer(before: ordinal - 1, 1))
            standing.isIn(.init(runID: runID, entries: entries, appended: 1), now: .zero)
        }
        #expect(standing.isBehind(390) == 10)
        #expect(standing.toBring?.entries.ordinals == [391, 393, 395, 397, 399])
        standing.took(answer(before: 390, 5))
        standing.brought(answer(before: 390, 5), now: .zero)
        // No answer, and once more.
        for _ in 0..<2 { #expect(standing.toBring?.entries.ordinals == [392, 394, 396, 398, 400]) }
        #expect(standing.isBehind(393) == nil, "it was told of")
        #expect(standing.toBring?.entries.ordinals == [391, 393, 395, 397, 399])
        for (before, appended, has) in [(393, 2, 3), (395, 5, 0)] as [(UInt64, Int, Int)] {
            let answer = answer(before: before, appended, has: has)
            standing.took(answer)
            standing.brought(answer, now: .zero)
        }
        #expect(standing.toBring == nil)
        let told = standing.wasBrought()
        #expect(told?.missing == 10 && told?.again == 10)
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
        #expect(standing.isBehind(0) == 1)
        standing.hasAll(asked: .seconds(200))
        #expect(standing.toBring != nil && standing.isToBeAsked, "it lacks it")
        standing.took(answer(before: 0, 1))
        standing.brought(answer(before: 0, 1), now: .seconds(201))
        #expect(standing.toBring == nil)
        _ = standing.wasBrought()
        standing.hasAll(asked: .seconds(220))
        #expect(standing.isToBeAsked, "it may be replaced by one that lacks it again")
        standing.hasAll(asked: .seconds(231))
        #expect(!standing.isToBeAsked)
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
