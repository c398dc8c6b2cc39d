import RESP
import Testing

@testable import Lapse

/// Row 91 for the machine: any client may publish hints.
struct ForgedHintTests {
    private static let second: Int64 = 1_000_000_000

    private func machine() -> PunctualMachine {
        var machine = PunctualMachine(bytes: 1 << 20)
        machine.told(1_790_000_000 * Self.second, asked: 0, heard: 0)
        return machine
    }

    @Test("100 000 keys that do not exist: bounded memory, a few questions each, and all are forgotten")
    func keysThatDoNotExist() {
        var machine = machine()
        var asked = 0
        var largest = 0
        for step in 0..<20_000 as Range<Int64> {
            let now = step * 1_000_000
            if step < 10_000 {
                for number in 0..<10 { _ = machine.hint(Array("forged:\(step * 10 + Int64(number))".utf8), now: now) }
            }
            machine.confirmedAt = now / Self.second * Self.second - Self.second
            machine.wroteAt = machine.confirmedAt
            for next in [machine.nextNudges(now: now), machine.nextQuestions(now: now)] {
                guard case .send(let batch) = next else { continue }
                asked += batch.places.count
                let gone = [RESPValue](repeating: .integer(-2), count: batch.places.count)
                _ = machine.answered(batch, gone, sent: now, now: now)
            }
            largest = max(largest, machine.table.bytes)
        }
        #expect(largest <= 2 << 20)
        #expect(asked <= 6 * 100_000)
        #expect(machine.table.count == 0)
    }

    @Test("a thousand hints for one key in a second are one question at once and one at its end")
    func oneKeyRenewed() {
        var machine = machine()
        var questions = 0
        for step in 0..<10_000 as Range<Int64> {
            let now = step * 1_000_000
            _ = machine.hint(Array("session:1".utf8), now: now)
            guard case .send(let batch) = machine.nextQuestions(now: now) else { continue }
            questions += batch.places.count
            _ = machine.answered(batch, [.integer(3_600_000)], sent: now, now: now)
        }
        #expect(questions <= 11)
        #expect(questions >= 10)
    }

    @Test("more hints than a second may have are left to a sweep")
    func tooMany() {
        var machine = machine()
        machine.limits.hints = 100
        for number in 0..<101 { _ = machine.hint(Array("timer:\(number)".utf8), now: 5) }
        #expect(machine.table.count == 100)
        #expect(machine.hasMissedHints)
        _ = machine.hint(Array("timer:200".utf8), now: 2 * Self.second)
        #expect(machine.table.count == 101)
    }

    @Test("numbers from the wire may be anything", arguments: [Int64.max, .min, -3, 0, 1 << 62])
    func anyNumber(number: Int64) {
        for tellsDeadlines in [true, false] {
            var machine = machine()
            machine.tellsDeadlines = tellsDeadlines
            _ = machine.hint(Array("timer:1".utf8), now: 5)
            guard case .send(let batch) = machine.nextQuestions(now: 5) else {
                Issue.record("nothing is asked")
                return
            }
            _ = machine.answered(batch, [.integer(number)], sent: 5, now: 5)
            for second in 1..<100 as Range<Int64> { _ = machine.nextNudges(now: second * Self.second) }
        }
    }
}
