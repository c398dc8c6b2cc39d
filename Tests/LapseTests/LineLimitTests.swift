import Testing

@testable import Lapse

struct LineLimitTests {
    @Test func theFirstIsWrittenAtOnceAndTheRestTogether() {
        var limit = LineLimit(every: .seconds(10))
        #expect(limit.happened(now: .seconds(1)) == 1)
        #expect(limit.happened(3, now: .seconds(2)) == nil)
        #expect(limit.happened(now: .seconds(10)) == nil)
        #expect(limit.happened(now: .seconds(11)) == 5)
        #expect(limit.happened(now: .seconds(30)) == 1)
    }
}
