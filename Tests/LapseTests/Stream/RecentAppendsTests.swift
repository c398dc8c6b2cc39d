import Testing

@testable import Lapse

@Suite struct RecentAppendsTests {
    private func part(_ ordinals: ClosedRange<UInt64>, of runID: String = "run", appended: UInt64? = nil)
        -> RecentAppends.Part
    {
        let entries = StreamEntries(ordinals: ordinals)
        return .init(runID: runID, entries: entries, appended: appended ?? UInt64(entries.count))
    }

    private func ordinals(_ recent: RecentAppends) -> [UInt64] {
        var recent = recent
        return recent.take(last: .max).flatMap(\.entries.ordinals)
    }

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
        #expect(ordinals(recent).count < 40 && ordinals(recent).last == 100)
    }

    @Test func withoutAnAgeNothingIsKept() {
        var recent = RecentAppends(age: .zero)
        recent.add(part(1...2), now: .zero)
        #expect(recent.isEmpty)
    }

    @Test("of a thousand single entries the newest that are missing are taken, in one call")
    func newestOnly() {
        var recent = RecentAppends(age: .seconds(30))
        for ordinal in 1...1_000 as ClosedRange<UInt64> { recent.add(part(ordinal...ordinal), now: .zero) }
        let calls = recent.take(last: 3)
        #expect(calls.count == 1 && calls[0].entries.count == 3 && calls[0].entries.ordinals == [998, 999, 1_000])
        #expect(ordinals(recent).count == 997 && ordinals(recent).last == 997)
    }

    @Test("a call has up to 256 entries of one process, in their order, and two that take turns cost two calls")
    func joined() {
        var recent = RecentAppends(age: .seconds(30))
        for ordinal in 1...300 as ClosedRange<UInt64> {
            for runID in ["a", "b"] { recent.add(part(ordinal...ordinal, of: runID), now: .zero) }
        }
        let calls = recent.take(last: 600)
        #expect(calls.map(\.runID) == ["a", "b", "a", "b", "a", "b"])
        #expect(calls.map(\.entries.count) == [128, 128, 128, 128, 44, 44])
        let all: [UInt64] = Array(1...300)
        for runID in ["a", "b"] {
            #expect(calls.filter { $0.runID == runID }.flatMap(\.entries.ordinals) == all)
        }
        #expect(recent.isEmpty)
    }

    @Test("what was appended without an answer counts in none, and what was sent behind it is taken as well")
    func answersLost() {
        var recent = RecentAppends(age: .seconds(30))
        recent.add(part(1...10), now: .zero)
        recent.add(part(11...15, appended: 0), now: .zero)
        recent.add(part(16...18), now: .zero)
        let calls = recent.take(last: 8)
        let all: [UInt64] = Array(1...18)
        #expect(calls.flatMap(\.entries.ordinals) == all)
    }
}
