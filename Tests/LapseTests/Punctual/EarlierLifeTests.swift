import RESP
import Testing

@testable import Lapse

/// A key is set again in the moment in which it expires, and its earlier life is announced late.
struct EarlierLifeTests {
    private static let second: Int64 = 1_000_000_000
    private static let millisecond: Int64 = 1_000_000
    /// The server's time when the own clock says zero, in milliseconds.
    private static let begin: Int64 = 1_790_000_000_000
    private let key = Array("timer:1".utf8)

    /// One that keeps a deadline a second ahead.
    private func machine() throws -> PunctualMachine {
        var machine = PunctualMachine(bytes: 1 << 20)
        machine.tellsDeadlines = true
        machine.told(Self.begin * Self.millisecond, asked: 0, heard: 0)
        hint(&machine, 0)
        try answer(&machine, Self.begin + 1_000, at: 1)
        return machine
    }

    private func hint(_ machine: inout PunctualMachine, _ now: Int64) {
        _ = machine.hint(unsafe key.span.bytes, now: now)
    }

    private func heard(_ machine: inout PunctualMachine, _ now: Int64) -> Int64? {
        machine.heard(unsafe key.span.bytes, now: now)
    }

    private func answer(_ machine: inout PunctualMachine, _ deadline: Int64, at now: Int64) throws {
        guard case .send(let batch) = machine.nextQuestions(now: now) else { throw NothingSent() }
        _ = machine.answered(batch, [.integer(deadline)], sent: now, now: now)
    }

    private func nudge(_ machine: inout PunctualMachine, at now: Int64) throws -> PunctualMachine.Batch {
        guard case .send(let batch) = machine.nextNudges(now: now) else { throw NothingSent() }
        return batch
    }

    private struct NothingSent: Error {}

    /// Set again as soon as it has expired, for so many milliseconds; the announcement is still on the way.
    private func setAgain(_ machine: inout PunctualMachine, for life: Int64) throws {
        let now = 1_010 * Self.millisecond
        let batch = try nudge(&machine, at: now)
        _ = machine.answered(batch, [.integer(-2)], sent: now, now: now)
        hint(&machine, now)
        // The question waits for its second, and may come back late.
        try answer(&machine, Self.begin + 1_010 + life, at: 2_200 * Self.millisecond)
    }

    @Test("an announcement that comes when the next deadline is due already does not forget that one")
    func dueAlready() throws {
        var machine = try machine()
        try setAgain(&machine, for: 1_200)
        let late = 2_300 * Self.millisecond
        #expect(heard(&machine, late) == nil, "of the earlier life, whose deadline is not kept any more")
        #expect(machine.table.count == 1)
        #expect(try nudge(&machine, at: late).places.count == 1)
    }

    @Test("one that comes before the next deadline is due does not forget that one either, and is owed no more")
    func ahead() throws {
        var machine = try machine()
        try setAgain(&machine, for: 5_000)
        #expect(heard(&machine, 2_300 * Self.millisecond) == nil)
        #expect(machine.table.count == 1)
        try answer(&machine, Self.begin + 6_010, at: 2_400 * Self.millisecond)
        // The server expires it by itself, before it is nudged.
        #expect(heard(&machine, 6_100 * Self.millisecond) == Self.begin + 6_010)
        #expect(machine.table.count == 0)
    }

    @Test("nor does one that comes while writes are paused, and the key is said to be gone")
    func paused() throws {
        var machine = try machine()
        try setAgain(&machine, for: 1_200)
        let late = 2_300 * Self.millisecond
        let batch = try nudge(&machine, at: late)
        _ = machine.answered(batch, [.integer(-2)], sent: late, now: late)
        _ = heard(&machine, late + 1)
        #expect(machine.table.count == 1)
        #expect(try nudge(&machine, at: 2_600 * Self.millisecond).places == batch.places)
    }

    @Test("where the announcement came while the nudge was under way none is owed")
    func paid() throws {
        var machine = try machine()
        let now = 1_010 * Self.millisecond
        let batch = try nudge(&machine, at: now)
        #expect(heard(&machine, now + 1) == Self.begin + 1_000)
        _ = machine.answered(batch, [.integer(700)], sent: now, now: now + 2)
        #expect(machine.table.count == 1)
        #expect(heard(&machine, 2 * Self.second) != nil)
        #expect(machine.table.count == 0)
    }

    @Test("what was heard while a question was not answered forgets nothing")
    func unanswered() throws {
        var machine = try machine()
        hint(&machine, 2 * Self.second)
        guard case .send(let batch) = machine.nextQuestions(now: 2 * Self.second) else { throw NothingSent() }
        #expect(heard(&machine, 2 * Self.second + 1) == Self.begin + 1_000)
        machine.failed(batch, now: 2 * Self.second + 2)
        #expect(try nudge(&machine, at: 3 * Self.second).places == batch.places)
    }

    @Test("nor what is heard when a question was not answered, and is to be asked again")
    func refused() throws {
        var machine = PunctualMachine(bytes: 1 << 20)
        machine.told(Self.begin * Self.millisecond, asked: 0, heard: 0)
        hint(&machine, 0)
        guard case .send(let batch) = machine.nextQuestions(now: 0) else { throw NothingSent() }
        machine.failed(batch, now: 1)
        #expect(heard(&machine, 2) == nil)
        #expect(try nudge(&machine, at: Self.second).places == batch.places)
    }

    @Test("an announcement behind a hint ends the wait of its question: the next life may be short")
    func shortLife() throws {
        var machine = try machine()
        let now = 1_010 * Self.millisecond
        let batch = try nudge(&machine, at: now)
        _ = machine.answered(batch, [.integer(-2)], sent: now, now: now)
        hint(&machine, now + 1)
        #expect(machine.questions.isEmpty, "it was asked about just now")
        #expect(heard(&machine, now + 2) == Self.begin + 1_000)
        try answer(&machine, Self.begin + 1_060, at: now + 4 * Self.millisecond)
        #expect(heard(&machine, now + 100 * Self.millisecond) == Self.begin + 1_060)
    }
}
