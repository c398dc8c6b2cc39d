import Testing

@testable import Lapse

struct WallClockJumpsTests {
    private func expect(_ jumps: inout WallClockJumps, _ wall: UInt64, at monotonic: Duration, _ ahead: UInt64) {
        let found = jumps.ahead(wall, monotonic, for: .seconds(60))
        #expect(found == ahead)
    }

    @Test func aClockPutForwardMakesNothingOlder() {
        var jumps = WallClockJumps()
        expect(&jumps, 1_000_000, at: .seconds(10), 0)
        expect(&jumps, 1_000_100, at: .milliseconds(10_100), 0)
        expect(&jumps, 4_600_200, at: .milliseconds(10_200), 3_600_000)
        expect(&jumps, 4_601_200, at: .milliseconds(11_200), 3_600_000)
        // Older than the jump is by now too old by either clock.
        expect(&jumps, 4_671_200, at: .milliseconds(81_200), 0)
    }

    @Test func aClockPutBackAgainCountsOnce() {
        var jumps = WallClockJumps()
        _ = jumps.ahead(1_000_000, .seconds(10), for: .seconds(60))
        _ = jumps.ahead(4_600_100, .milliseconds(10_100), for: .seconds(60))
        expect(&jumps, 1_000_200, at: .milliseconds(10_200), 0)
    }
}
