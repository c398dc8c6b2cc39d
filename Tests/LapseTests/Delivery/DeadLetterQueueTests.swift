import Testing

@testable import Lapse

/// When a dead letter is written, tried again, or left to the log.
struct DeadLetterQueueTests {
    private func letter(_ ordinal: UInt64) -> DeadLetter {
        DeadLetter(delivery: .some("k\(ordinal)", ordinal), error: "no")
    }

    /// A step in short: `write 3`, `log 3: reason`, `wait`.
    private func next(_ queue: inout DeadLetterQueue, _ now: Duration) -> String {
        switch queue.next(now: now) {
        case .write(let letter): "write \(letter.delivery.ordinal)"
        case .log(let letter, let reason): "log \(letter.delivery.ordinal): \(reason)"
        case .wait(let time): time.map { "wait \($0)" } ?? "wait"
        }
    }

    @Test func allAreWrittenInTheirOrder() {
        var queue = DeadLetterQueue()
        #expect(next(&queue, .zero) == "wait")
        for ordinal in UInt64(1)...2 { queue.add(letter(ordinal), now: .zero) }
        #expect(next(&queue, .seconds(9)) == "write 1", "a slow stream has its chance")
        queue.written()
        #expect(next(&queue, .seconds(9)) == "write 2")
        queue.written()
        #expect(next(&queue, .seconds(9)) == "wait")
    }

    @Test("a failure lets all wait, ever longer; after their time the log has them, and why")
    func theTimeIsBounded() {
        var queue = DeadLetterQueue()
        queue.add(letter(1), now: .zero)
        var now = Duration.zero
        var writes = 0
        var news = 0
        var end = ""
        while end.isEmpty {
            switch queue.next(now: now) {
            case .write:
                writes += 1
                if queue.failed("WRONGTYPE", now: now) { news += 1 }
            case .wait(let time): now += time ?? .seconds(100)
            case .log(_, let reason): end = reason
            }
        }
        #expect(end == "WRONGTYPE" && news == 1)
        #expect((5...10).contains(writes) && now < .seconds(7))
        queue.add(letter(2), now: now)
        #expect(next(&queue, now + .seconds(2)) == "write 2", "the next one is tried itself")
        queue.written()
        queue.add(letter(3), now: now)
        #expect(next(&queue, now) == "write 3", "and what succeeds ends the trouble")
    }

    @Test("one write that fails sends none to the log of those that have waited for their turn")
    func aQueueThatIsSlow() {
        var queue = DeadLetterQueue()
        for ordinal in UInt64(1)...1_000 { queue.add(letter(ordinal), now: .zero) }
        #expect(next(&queue, .seconds(8)) == "write 1")
        let isNews = queue.failed("timed out", now: .seconds(8))
        #expect(isNews)
        let later = Duration.milliseconds(8_200)
        #expect(next(&queue, later) == "write 1")
        queue.written()
        #expect(next(&queue, later) == "write 2")
        _ = queue.failed("timed out", now: later)
        #expect(next(&queue, .seconds(14)) == "log 2: timed out")
    }

    @Test func aFullQueueLeavesTheRestToTheLog() {
        var queue = DeadLetterQueue(limit: 2)
        for ordinal in UInt64(1)...4 { queue.add(letter(ordinal), now: .zero) }
        #expect(queue.count == 4)
        #expect(next(&queue, .zero).hasPrefix("log 3: 2 others wait"))
        #expect(next(&queue, .zero).hasPrefix("log 4: 2 others wait"))
        #expect(next(&queue, .zero) == "write 1")
        #expect(queue.takeAll().map(\.ordinal) == [1, 2])
        #expect(queue.count == 0)
    }

    @Test func aLongErrorIsCutBetweenCharacters() {
        #expect("short".cut(toBytes: 5) == "short")
        #expect("äöü".cut(toBytes: 3) == "ä…")
        #expect(String(repeating: "x", count: 10_000).cut(toBytes: 4096).utf8.count == 4096 + 3)
    }
}
