import Testing

@testable import Lapse

/// When a dead letter is written, tried again, or left to the log.
struct DeadLetterQueueTests {
    private func letter(_ ordinal: UInt64) -> DeadLetter {
        DeadLetter(delivery: .some("k\(ordinal)", ordinal), error: "no")
    }

    /// A step in short: `write 3 4`, `log 3: reason`, `wait`.
    private func next(_ queue: inout DeadLetterQueue, _ now: Duration) -> String {
        switch queue.next(now: now) {
        case .write(let letters): "write" + letters.map { " \($0.delivery.ordinal)" }.joined()
        case .log(let letter, let reason): "log \(letter.delivery.ordinal): \(reason)"
        case .wait(let time): time.map { "wait \($0)" } ?? "wait"
        }
    }

    /// How the letters of the last step fared: whether that is news.
    private func wrote(_ queue: inout DeadLetterQueue, _ failures: [String?], _ now: Duration) -> String {
        queue.wrote(failures, now: now) ? "news" : "no news"
    }

    @Test func allAreWrittenInTheirOrder() {
        var queue = DeadLetterQueue()
        #expect(next(&queue, .zero) == "wait")
        for ordinal in UInt64(1)...2 { queue.add(letter(ordinal), now: .zero) }
        #expect(next(&queue, .seconds(9)) == "write 1 2", "a slow stream has its chance")
        queue.add(letter(3), now: .seconds(9))
        #expect(wrote(&queue, [nil, nil], .seconds(9)) == "no news")
        #expect(next(&queue, .seconds(9)) == "write 3")
        #expect(wrote(&queue, [nil], .seconds(9)) == "no news")
        #expect(next(&queue, .seconds(9)) == "wait")
    }

    @Test("what is refused beside others is tried again before what came later, and holds up none of them")
    func someAreRefused() {
        var queue = DeadLetterQueue()
        for ordinal in UInt64(1)...4 { queue.add(letter(ordinal), now: .zero) }
        #expect(next(&queue, .zero) == "write 1 2 3 4")
        #expect(wrote(&queue, [nil, "too large", nil, "OOM"], .zero) == "news")
        var now = Duration.zero
        for ordinal in UInt64(5)...40 {
            queue.add(letter(ordinal), now: now)
            #expect(next(&queue, now) == "wait 0.1 seconds")
            now += .milliseconds(100)
            let isFirst = ordinal == 5
            #expect(next(&queue, now) == (isFirst ? "write 2 4 5" : "write 2 \(ordinal)"))
            #expect(wrote(&queue, isFirst ? ["too large", nil, nil] : ["too large", nil], now) == "no news")
        }
        #expect(next(&queue, .seconds(5)) == "log 2: too large")
        #expect(next(&queue, .seconds(5)) == "wait")
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
                if queue.wrote(["WRONGTYPE"], now: now) { news += 1 }
            case .wait(let time): now += time ?? .seconds(100)
            case .log(_, let reason): end = reason
            }
        }
        #expect(end == "WRONGTYPE" && news == 1)
        #expect((5...10).contains(writes) && now < .seconds(7))
        queue.add(letter(2), now: now)
        #expect(next(&queue, now + .seconds(2)) == "write 2", "the next one is tried itself")
        #expect(wrote(&queue, [nil], now) == "no news")
        queue.add(letter(3), now: now)
        #expect(next(&queue, now) == "write 3", "and what succeeds ends the trouble")
    }

    @Test("one write that fails sends none to the log of those that have waited for their turn")
    func aQueueThatIsSlow() {
        var queue = DeadLetterQueue()
        for ordinal in UInt64(1)...1_000 { queue.add(letter(ordinal), now: .zero) }
        let most = DeadLetterQueue.mostAtOnce
        let failures = [String?](repeating: "timed out", count: most)
        #expect(next(&queue, .seconds(8)).hasPrefix("write 1 2 "))
        #expect(wrote(&queue, failures, .seconds(8)) == "news")
        let later = Duration.milliseconds(8_200)
        #expect(next(&queue, later).hasPrefix("write 1 2 "))
        #expect(wrote(&queue, failures.map { _ in nil }, later) == "no news")
        #expect(next(&queue, later).hasPrefix("write \(most + 1) "))
        #expect(wrote(&queue, failures, later) == "news")
        #expect(next(&queue, .seconds(14)) == "log \(most + 1): timed out")
    }

    @Test("3 000 letters a second, 2 ms to the stream and back, one refusal: the log alone has none of them")
    func aStreamThatIsFarAway() {
        var queue = DeadLetterQueue()
        let all = UInt64(30_000)
        var now = Duration.zero
        var (come, written) = (UInt64(0), UInt64(0))
        var isRefused = false
        while written < all {
            let due = min(all, UInt64(now / .milliseconds(1)) * 3)
            while come < due {
                come += 1
                queue.add(letter(come), now: now)
            }
            switch queue.next(now: now) {
            case .write(let letters):
                #expect(letters.first?.delivery.ordinal == written + 1)
                now += .milliseconds(2)
                let refuses = !isRefused && now > .seconds(8)
                isRefused = isRefused || refuses
                let isNews = queue.wrote(letters.map { _ in refuses ? "BUSY" : nil }, now: now)
                #expect(isNews == refuses)
                if !refuses { written += UInt64(letters.count) }
            case .wait(let time): now += time ?? .milliseconds(1)
            case .log(let letter, let reason):
                Issue.record("\(letter.delivery.ordinal) at \(now): \(reason)")
                return
            }
        }
        #expect(isRefused)
    }

    @Test func aFullQueueLeavesTheRestToTheLog() {
        var queue = DeadLetterQueue(limit: 2)
        for ordinal in UInt64(1)...4 { queue.add(letter(ordinal), now: .zero) }
        #expect(queue.count == 4)
        #expect(next(&queue, .zero).hasPrefix("log 3: 2 others wait"))
        #expect(next(&queue, .zero).hasPrefix("log 4: 2 others wait"))
        #expect(next(&queue, .zero) == "write 1 2")
        #expect(queue.takeAll().map(\.ordinal) == [1, 2])
        #expect(queue.count == 0)
    }

    @Test func aLongErrorIsCutBetweenCharacters() {
        #expect("short".cut(toBytes: 5) == "short")
        #expect("äöü".cut(toBytes: 3) == "ä…")
        #expect(String(repeating: "x", count: 10_000).cut(toBytes: 4096).utf8.count == 4096 + 3)
    }
}
