import Lapse
import Testing

@testable import LapseAdmin

/// A follower's plot shows what the leader has handled, by its progress.
@Suite struct PageHistoryOfFollowerTests {
    private func figures(byLeader: [String: UInt64]?) -> ViewFigures {
        ViewFigures(delays: [UInt64](repeating: 0, count: DelayCounts.size), failed: 0, byLeader: byLeader)
    }

    @Test func whatTheLeaderHandledMeanwhile() {
        var history = PageHistory()
        #expect(history.add(figures(byLeader: ["a": 100]), now: 0) == nil)
        #expect(history.add(figures(byLeader: ["a": 130]), now: 1000)?.handled == 30)
        #expect(history.add(figures(byLeader: ["a": 4]), now: 2000)?.handled == 0, "the next term begins anew")
        #expect(history.add(figures(byLeader: ["a": 9]), now: 3000)?.handled == 5)
        #expect(history.add(figures(byLeader: nil), now: 4000)?.handled == 0, "it leads now, and counts itself")
    }

    @Test func anAccountThatIsSeenForTheFirstTimeMayBeOld() {
        var history = PageHistory()
        #expect(history.add(figures(byLeader: nil), now: 0) == nil)
        #expect(history.add(figures(byLeader: ["a": 5000]), now: 1000)?.handled == 0)
        #expect(history.add(figures(byLeader: ["a": 5010, "b": 70]), now: 2000)?.handled == 10)
        // Each by itself: what one lost hides nothing of the other.
        #expect(history.add(figures(byLeader: ["a": 3, "b": 90]), now: 3000)?.handled == 20)
    }
}
