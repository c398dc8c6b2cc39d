import NIOCore
import Testing

@testable import Timing

struct SharedTickTests {
    private let beat = SharedTick(every: .milliseconds(500), phase: 123_000_000)

    private func next(afterMilliseconds now: UInt64) -> UInt64 {
        beat.next(after: .uptimeNanoseconds(now * 1_000_000)).uptimeNanoseconds / 1_000_000
    }

    @Test func comesAtTheSameInstantsForAll() {
        #expect(next(afterMilliseconds: 1123) == 1623)
        #expect(next(afterMilliseconds: 1124) == 1623)
        #expect(next(afterMilliseconds: 1373) == 1623)
    }

    @Test func aLateOneIsNotFollowedAtOnce() {
        #expect(next(afterMilliseconds: 1374) == 2123)
        #expect(next(afterMilliseconds: 1622) == 2123)
    }

    @Test(arguments: [1, 7, 500, 1000] as [Int64], [0, 1, 499_999_999, 999_999_999] as [Int64])
    func isAtLeastHalfAndAtMostOneAndAHalfPeriodsAway(_ milliseconds: Int64, _ phase: Int64) {
        let beat = SharedTick(every: .milliseconds(milliseconds), phase: phase)
        let period = milliseconds * 1_000_000
        for now: Int64 in stride(from: 0, to: 5_000_000_000, by: 37_123_457) {
            let from = NIODeadline.uptimeNanoseconds(UInt64(now))
            let wait: Int64 = (beat.next(after: from) - from).nanoseconds
            #expect(wait >= period / 2)
            #expect(wait <= period + period / 2)
            let distance: Int64 = now + wait - phase
            #expect(distance % period == 0)
        }
    }
}
