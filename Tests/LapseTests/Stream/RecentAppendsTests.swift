import Testing

@testable import Lapse

@Suite struct RecentAppendsTests {
    private func part(_ ordinals: ClosedRange<UInt64>) -> RecentAppends.Part {
        .init(runID: "run", entries: StreamEntries(ordinals: ordinals))
    }

    private func ordinals(_ recent: RecentAppends) -> [UInt64] { recent.all.flatMap(\.entries.ordinals) }

    @Test func whatIsOldIsForgotten() {
        var recent = RecentAppends(age: .seconds(30))
        recent.add(part(1...2), now: .seconds(1))
        recent.add(part(3...3), now: .seconds(20))
        #expect(ordinals(recent) == [1, 2, 3])
        recent.forget(now: .seconds(31))
        #expect(ordinals(recent) == [3])
        recent.forget(now: .seconds(50))
        #expect(recent.isEmpty)
    }

    @Test func theOldestMakeRoom() {
        let size = part(1...10).entries.bytes
        var recent = RecentAppends(age: .seconds(30), limit: size * 3)
        for start in 0..<10 as Range<UInt64> { recent.add(part(start * 10 + 1...start * 10 + 10), now: .zero) }
        #expect(recent.all.count < 4 && ordinals(recent).last == 100)
    }

    @Test func withoutAnAgeNothingIsKept() {
        var recent = RecentAppends(age: .zero)
        recent.add(part(1...2), now: .zero)
        #expect(recent.isEmpty)
    }
}
