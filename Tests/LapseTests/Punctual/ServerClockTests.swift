import LeaderElection
import Testing

@testable import Lapse

struct ServerClockTests {
    @Test("never surer than the truth, however long the answers take", arguments: 0..<20 as Range<UInt64>)
    func bounds(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var clock = ServerClock()
        var truth: Int64 = 1_790_000_000_000_000_000
        var now: Int64 = 5_000_000_000
        for turn in 0..<500 {
            now += Int64.random(in: 1...600_000_000, using: &random)
            // A clock is set now and then.
            let step: Int64 = turn % 50 == 49 ? Int64.random(in: -20_000_000_000...20_000_000_000, using: &random) : 0
            truth += step
            let asked = now
            let there = asked + Int64.random(in: 10_000...3_000_000, using: &random)
            let heard = there + Int64.random(in: 10_000...30_000_000, using: &random)
            let set = clock.answered(truth + there, asked: asked, heard: heard)
            now = heard
            #expect(clock.surely(now) <= (truth + now) / 1_000_000)
            #expect(clock.atMost(now) >= (truth + now) / 1_000_000)
            if abs(step) > 40_000_000 { #expect(set.signum() == step.signum(), "it tells that the clock was set") }
        }
    }
}
