import RedisClient
import Testing

@testable import Lapse

/// What is too old is so by the clock that is never set, too.
struct LogAgeTests {
    @Test func anOrdinalIsAgedWhenTheLogHadComeSoFarAnAgeAgo() {
        var age = LogAge()
        func aged(_ last: UInt64?, at seconds: Double) -> UInt64 {
            age.aged(last, now: .seconds(seconds), limit: .seconds(60))
        }
        #expect(aged(nil, at: 10) == 0)
        #expect(aged(5, at: 11) == 0)
        #expect(aged(9, at: 30) == 0)
        #expect(aged(9, at: 71) == 0, "exactly as old as allowed")
        #expect(aged(12, at: 72) == 5)
        #expect(aged(12, at: 91) == 9)
        #expect(aged(12, at: 1_000) == 12)
    }

    @Test func itKeepsFewMarks() {
        var age = LogAge()
        for second in 0..<100_000 {
            let aged = age.aged(UInt64(second), now: .milliseconds(second), limit: .seconds(60))
            #expect(aged == 0 || Int(aged) >= second - 62_000 && Int(aged) < second - 60_000)
        }
        #expect(MemoryLayout<LogAge>.size == MemoryLayout<Int>.size)
    }

    @Test(
        "seed 93253: the wall clock is set back and forth between two looks, and what came meanwhile is kept its whole age"
    )
    func theClockWasWrongForAMoment() {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        var feed = HeardLog()
        feed.log = logs.log(of: "run", at: NodeAddress(host: "10.0.0.1", port: 6379))
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        let wall: UInt64 = 1_700_000_000_000
        logs.tidy(now: wall, monotonic: .seconds(1))
        feed.expire("while the clock was an hour behind", now: wall - 3_600_000)
        for second in 1...60 as ClosedRange<UInt64> {
            logs.tidy(now: wall + second * 1_000, monotonic: .seconds(Double(second) + 1))
            #expect(feed.log.counts.entries == 1)
        }
        logs.tidy(now: wall + 62_000, monotonic: .seconds(63))
        #expect(feed.log.counts.entries == 0)
    }
}
