import Testing

@testable import Lapse

struct RetryPolicyTests {
    @Test func waitsGrowToTheCapAndEnd() {
        let policy = RetryPolicy(retries: 6, first: .milliseconds(100), cap: .seconds(1))
        let longest = (1...7).map { policy.wait(after: $0, random: 1) }
        #expect(longest == [100, 200, 400, 800, 1_000, 1_000].map { Duration.milliseconds($0) } + [nil])
        let shortest = (1...3).map { policy.wait(after: $0, random: 0) }
        #expect(shortest == [50, 100, 200].map { Duration.milliseconds($0) }, "jitter takes off at most one half")
    }

    @Test func withoutRetriesThereIsNoWait() {
        #expect(RetryPolicy(retries: 0).wait(after: 1, random: 0.5) == nil)
    }

    @Test func manyAttemptsStayAtTheCap() {
        let policy = RetryPolicy(retries: .max)
        for attempt in [20, 64, 1_000, 1_000_000] {
            #expect(policy.wait(after: attempt, random: 1) == .seconds(30))
        }
    }
}
