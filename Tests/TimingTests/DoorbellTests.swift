import NIOPosix
import Testing

@testable import Timing

@Suite(.timeLimit(.minutes(1)))
struct DoorbellTests {
    private let bell = Doorbell(on: MultiThreadedEventLoopGroup.singleton.next())

    @Test func aRingWakesTheWaiter() async {
        async let answer = bell.wait()
        bell.ring()
        #expect(await answer == .rung)
    }

    @Test func ringsWhileNobodyWaitsAreKeptOnce() async {
        bell.ring()
        bell.ring()
        #expect(await bell.wait() == .rung)
        #expect(await bell.wait(upTo: .milliseconds(1)) == .timeout)
    }

    @Test func cancellationEndsTheWait() async {
        let waiting = Task { await bell.wait() }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
    }

    @Test func aWaitInACancelledTaskDoesNotBegin() async {
        let waiting = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return await bell.wait(upTo: .seconds(3_600))
        }
        #expect(await waiting.value == .cancelled)
    }

    /// The timer may fire before the waiter is registered.
    @Test func noTimeoutIsLost() async throws {
        for _ in 0..<20_000 {
            try #require(await bell.wait(upTo: .zero) == .timeout)
        }
    }

    @Test func everyRingIsAnswered() async {
        let other = Doorbell(on: bell.loop)
        async let echo: Void = {
            for _ in 0..<10_000 {
                _ = await other.wait()
                bell.ring()
            }
        }()
        var rung = 0
        for _ in 0..<10_000 {
            other.ring()
            if await bell.wait() == .rung { rung += 1 }
        }
        await echo
        #expect(rung == 10_000)
    }
}
