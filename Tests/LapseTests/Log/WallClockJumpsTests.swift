import Testing

@testable import Lapse

struct WallClockJumpsTests {
    @Test func aClockPutForwardMakesNothingOlder() {
        var jumps = WallClockJumps()
        #expect(jumps.ahead(1_000_000, .seconds(10), for: .seconds(60)) == 0)
        #expect(jumps.ahead(1_000_100, .milliseconds(10_100), for: .seconds(60)) == 0)
        #expect(jumps.ahead(4_600_200, .milliseconds(10_200), for: .seconds(60)) == 3_600_000)
        #expect(jumps.ahead(4_601_200, .milliseconds(11_200), for: .seconds(60)) == 3_600_000)
        // Older than the jump is by now too old by either clock.
        #expect(jumps.ahead(4_671_200, .milliseconds(81_200), for: .seconds(60)) == 0)
    }

    @Test func aClockPutBackAgainCountsOnce() {
        var jumps = WallClockJumps()
        _ = jumps.ahead(1_000_000, .seconds(10), for: .seconds(60))
        _ = jumps.ahead(4_600_100, .milliseconds(10_100), for: .seconds(60))
        #expect(jumps.ahead(1_000_200, .milliseconds(10_200), for: .seconds(60)) == 0)
    }
}
