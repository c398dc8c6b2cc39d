import Testing

@testable import Lapse

/// What the page's plots are made of.
@Suite struct DelayCountsTests {
    @Test func everyDelayLiesBelowTheBoundOfItsBucketAndNotFarBelow() {
        for delay: UInt64 in [0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 1023, 1024, 59_999, 3_600_000] {
            let bound = DelayCounts.bound(of: DelayCounts.index(of: delay))
            #expect(Double(delay) < bound, "\(delay)")
            #expect(delay < 4 || bound <= Double(delay) * 1.26, "\(delay): \(bound)")
        }
        #expect(DelayCounts.index(of: .max) == DelayCounts.size - 1)
    }

    @Test func percentilesAreOfWhatWasCounted() throws {
        let counts = DelayCounts()
        #expect(DelayCounts.percentiles([0.5], of: counts.counts) == nil)
        for _ in 0..<990 { counts.add(0) }
        for _ in 0..<10 { counts.add(1000) }
        let found = try #require(DelayCounts.percentiles([0.5, 0.99, 0.991, 0.999], of: counts.counts))
        #expect(found == [1, 1, 1024, 1024])
    }

    @Test func onlyAsManySamplesAreKeptAsWereWanted() {
        let recent = RecentEvents()
        let expiration = Expiration(key: ExpirationKey(String(repeating: "k", count: 5000)))
        #expect(!recent.wantsSample)
        recent.wantSamples(2)
        for _ in 0..<5 where recent.wantsSample { recent.sample(expiration, delay: 1, now: 1) }
        let events = recent.latest[.handled] ?? []
        #expect(events.count == 2)
        #expect(events.allSatisfy { $0.subject.utf8.count < 200 })
        for number in 0..<100 { recent.note(.gap, "\(number)", "d", now: 1) }
        #expect(recent.latest[.gap]?.count == 8 && recent.latest[.gap]?.first?.subject == "99")
    }
}
