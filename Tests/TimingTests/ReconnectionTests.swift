import Testing

@testable import Timing

struct ReconnectionTests {
    private func reconnection() -> Reconnection {
        Reconnection(Backoff(first: .milliseconds(50), cap: .seconds(5)), enough: .seconds(10))
    }

    @Test("a connection that is closed soon after it was opened counts as a failure: the second in a row is said, once")
    func closedSoon() {
        var reconnection = reconnection()
        var now = Duration.zero
        var waits: [Duration] = []
        var told: [Int] = []
        for life in 1...9 as ClosedRange<Int> {
            reconnection.begins(now: now)
            now += .milliseconds(5)
            if reconnection.ends(now: now) { told.append(life) }
            waits.append(reconnection.next(random: 1))
            now += waits[life - 1]
        }
        #expect(told == [2])
        #expect(waits == [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .milliseconds($0) })
    }

    @Test("one that lives ends that, and is told of once; failures between two short lives change nothing")
    func lives() {
        var reconnection = reconnection()
        reconnection.begins(now: .seconds(1))
        let isTold = reconnection.ends(now: .seconds(2))
        #expect(!isTold)
        // No connection could be opened.
        _ = reconnection.next()
        reconnection.begins(now: .seconds(3))
        let isToldThen = reconnection.ends(now: .seconds(4))
        #expect(isToldThen)
        reconnection.begins(now: .seconds(5))
        let looks = [14, 15, 16].map { reconnection.lives(now: .seconds($0)) }
        #expect(looks == [false, true, false])
        let end = reconnection.ends(now: .seconds(17))
        #expect(!end && reconnection.next(random: 1) == .milliseconds(50))
        // Counted anew.
        reconnection.begins(now: .seconds(20))
        let first = reconnection.ends(now: .seconds(21))
        reconnection.begins(now: .seconds(22))
        let second = reconnection.ends(now: .seconds(23))
        #expect(!first && second)
    }

    @Test("one that has lived for long without a look has lived all the same")
    func withoutALook() {
        var reconnection = reconnection()
        for minute in 1...3 as ClosedRange<Int> {
            reconnection.begins(now: .seconds(minute * 60))
            let isTold = reconnection.ends(now: .seconds(minute * 60 + 10))
            #expect(!isTold && reconnection.next(random: 1) == .milliseconds(50))
        }
    }
}
