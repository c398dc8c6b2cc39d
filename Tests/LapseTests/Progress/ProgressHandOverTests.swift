import Testing

@testable import Lapse

/// Row 56: what the registers refuse is told while the lease can still be seen to be held.
struct ProgressHandOverTests {
    private var handOver = ProgressHandOver(patience: .seconds(4), now: .seconds(10))

    @Test mutating func whatIsWrittenOrFencedIsDone() {
        #expect(handOver.wrote(.written, isRefused: false, now: .seconds(10)) == .done)
        #expect(handOver.wrote(.fenced, isRefused: false, now: .seconds(10)) == .done)
    }

    @Test mutating func registersThatDoNotAnswerAreTriedForTheWholePatienceAndNothingIsTold() {
        for step in 0..<40 {
            let now = Duration.seconds(10) + .milliseconds(100) * step
            #expect(handOver.wrote(.failed, isRefused: false, now: now) == .tryAgain(tells: false))
        }
        #expect(handOver.wrote(.failed, isRefused: false, now: .seconds(14)) == .giveUp)
    }

    @Test("refused: told at once and again, for longer than a follower waits between two questions")
    mutating func refused() {
        var told: [Duration] = []
        var now = Duration.seconds(10)
        while true {
            let step = handOver.wrote(.failed, isRefused: true, now: now)
            if step == .giveUp { break }
            if step == .tryAgain(tells: true) { told.append(now - .seconds(10)) }
            now += .milliseconds(50)
        }
        #expect(now - .seconds(10) > ProgressListener.spacing)
        #expect(told.first == .zero && told.count >= 4)
        // A follower that asked in vain just before the first telling hears one when it may ask again.
        #expect(told.contains { $0 >= ProgressListener.spacing })
    }

    @Test mutating func refusedAtLastAfterSilenceHasItsWholeTimeToBeHeard() {
        #expect(handOver.wrote(.failed, isRefused: false, now: .seconds(13)) == .tryAgain(tells: false))
        #expect(handOver.wrote(.failed, isRefused: true, now: .milliseconds(13_900)) == .tryAgain(tells: true))
        #expect(handOver.wrote(.failed, isRefused: true, now: .milliseconds(14_800)) == .tryAgain(tells: true))
        #expect(handOver.wrote(.failed, isRefused: true, now: .milliseconds(15_150)) == .giveUp)
    }

    @Test mutating func refusedAtFirstAndWrittenThen() {
        #expect(handOver.wrote(.failed, isRefused: true, now: .seconds(10)) == .tryAgain(tells: true))
        #expect(handOver.wrote(.failed, isRefused: true, now: .milliseconds(10_050)) == .tryAgain(tells: false))
        #expect(handOver.wrote(.written, isRefused: false, now: .milliseconds(10_100)) == .done)
    }
}
