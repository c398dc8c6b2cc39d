import Testing

@testable import Lapse

struct CounterCheckTests {
    @Test func whatWasHeardInTimeNeedsNoMark() {
        var check = CounterCheck()
        for second in 0..<100 as Range<Int64> {
            // Now and then something is on its way when the answer comes.
            let late: Int64 = second % 3 == 0 ? 2 : 0
            let isDue = check.look(announced: second * 50, before: 0, now: UInt64(max(0, second * 50 - late)))
            #expect(!isDue)
        }
    }

    @Test func whatIsOwedForASecondIsMissing() {
        var check = CounterCheck()
        let first = check.look(announced: 10, before: 9, now: 9)
        let second = check.look(announced: 10, before: 9, now: 9)
        #expect(!first && second)
    }

    @Test func moreThanTheCounterShowsIsForgedOrReset() {
        var check = CounterCheck()
        let isDue = check.look(announced: 3, before: 9, now: 9)
        #expect(isDue)
    }

    @Test("a loss smaller than a second's traffic is noticed while the traffic goes on")
    func smallLossUnderTraffic() {
        var check = CounterCheck()
        let due = (1...10 as ClosedRange<Int64>).first { second in
            check.look(announced: second * 70, before: UInt64(second * 70 - 46), now: UInt64(second * 70 - 46))
        }
        #expect(due == 3)
    }

    @Test("a feed that is always a little behind, and misses nothing, asks for few marks")
    func alwaysBehind() {
        var check = CounterCheck()
        let marks = (1...3600 as ClosedRange<Int64>).count { second in
            guard check.look(announced: second * 70, before: 0, now: UInt64(second * 70 - 1)) else { return false }
            check.settled()
            return true
        }
        #expect(marks < 50)
    }
}
