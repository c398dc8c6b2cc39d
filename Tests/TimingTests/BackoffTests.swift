import Testing

@testable import Timing

struct BackoffTests {
    @Test func growsToTheCap() {
        var backoff = Backoff(first: .milliseconds(50), cap: .milliseconds(300))
        let longest = (0..<5).map { _ in backoff.next(random: 1) }
        #expect(longest == [50, 100, 200, 300, 300].map { .milliseconds($0) })
        backoff.reset()
        let shortest = backoff.next(random: 0)
        #expect(shortest == .milliseconds(25), "never at once")
        #expect(backoff.attempts == 1)
    }

    @Test func neverOverflows() {
        var backoff = Backoff()
        for _ in 0..<1_000 {
            let wait = backoff.next()
            #expect(wait >= .milliseconds(25) && wait <= .seconds(1))
        }
    }
}
