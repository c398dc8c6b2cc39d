import RESP
import Testing

@testable import Lapse

/// Answers that come when something has changed since the question.
struct AnswerTests {
    private static let second: Int64 = 1_000_000_000

    private func machine(hintedAt keys: [String]) -> PunctualMachine {
        var machine = PunctualMachine(bytes: 1 << 20)
        machine.told(1_790_000_000 * Self.second, asked: 0, heard: 0)
        for key in keys { _ = machine.hint(Array(key.utf8), now: 5) }
        return machine
    }

    private func questions(_ machine: inout PunctualMachine, at now: Int64 = 5) throws -> PunctualMachine.Batch {
        guard case .send(let batch) = machine.nextQuestions(now: now) else { throw NothingAsked() }
        return batch
    }

    private struct NothingAsked: Error {}

    @Test("where PEXPIRETIME is refused no deadline is forgotten, and it is asked for once, whatever reconnects")
    func refusedDeadlines() throws {
        var machine = machine(hintedAt: ["timer:1", "timer:2"])
        machine.greeted(major: 7)
        let batch = try questions(&machine)
        let text = "NOPERM User punctual has no permissions to run the 'pexpiretime' command"
        let refused = RESPValue.error(RESPError(text))
        let outcome = machine.answered(batch, [refused, refused], sent: 5, now: 6)
        #expect(outcome.refusal == nil)
        #expect(machine.uncovered == 0)
        machine.greeted(major: 7)
        #expect(!machine.tellsDeadlines)
        guard case .send(let nudge) = machine.nextNudges(now: Self.second) else { throw NothingAsked() }
        #expect(nudge.places == batch.places)
        _ = machine.answered(nudge, [.integer(60_000), .integer(60_000)], sent: Self.second, now: Self.second)
        #expect(batch.places.allSatisfy { machine.table[$0].state == .known })
    }

    @Test("a sweep for missed hints asks again for what was asked for before it began, and for nothing else")
    func sweepForMissedHints() throws {
        var machine = machine(hintedAt: ["timer:1"])
        machine.tellsDeadlines = true
        let batch = try questions(&machine)
        _ = machine.answered(batch, [.integer(1_790_000_100_000)], sent: 5, now: 6)
        let key = Array("timer:1".utf8)
        func isAskedAgain(_ since: Int64?) -> Bool {
            var copy = machine
            _ = copy.met(unsafe key.span.bytes, renewsSince: since, now: 10 * Self.second)
            return !copy.questions.isEmpty || copy.trailing.next != nil
        }
        #expect(!isAskedAgain(nil))
        #expect(isAskedAgain(Self.second), "hints of the time between may be missing")
        #expect(!isAskedAgain(-Self.second))
    }

    @Test("a slot that begins to move while its keys are asked about shifts no answer to another key")
    func movingSlot() throws {
        var machine = machine(hintedAt: ["timer:1", "timer:2"])
        machine.tellsDeadlines = true
        let batch = try questions(&machine)
        let key = Array("timer:1".utf8)
        machine.adopt(
            unsafe key.span.bytes, .init(key: key, deadline: nil, isDoubtful: false), isImporting: true, now: 6)
        _ = machine.answered(batch, [.integer(1_790_000_100_000), .integer(1_790_000_200_000)], sent: 5, now: 7)
        #expect(batch.places.map { machine.table[$0].deadline } == [1_790_000_100_000, 1_790_000_200_000])

        // The next one goes with ASKING, whose answer is none of a key; nor are they shifted when that is
        // known to be over.
        _ = machine.hint(key, now: 2 * Self.second)
        let next = try questions(&machine, at: 2 * Self.second)
        #expect(next.asking == [batch.places[0]])
        machine.adopt(
            unsafe key.span.bytes, .init(key: key, deadline: nil, isDoubtful: false), isImporting: false,
            now: 2 * Self.second)
        let replies: [RESPValue] = [.simple("OK"), .integer(1_790_000_300_000)]
        _ = machine.answered(next, replies, sent: 2 * Self.second, now: 2 * Self.second + 1)
        #expect(machine.table[batch.places[0]].deadline == 1_790_000_300_000)
    }

    @Test("an expiration of before wakes who asks: the key was set again")
    func heardWakes() throws {
        var machine = machine(hintedAt: ["timer:1"])
        machine.tellsDeadlines = true
        let batch = try questions(&machine)
        _ = machine.answered(batch, [.integer(1_790_000_060_000)], sent: 5, now: 6)
        let isAwaited = machine.takeAwaited()
        #expect(!isAwaited)
        _ = machine.heard(Array("timer:1".utf8), now: 2 * Self.second)
        let isAwaitedAgain = machine.takeAwaited()
        #expect(isAwaitedAgain)
        #expect(try questions(&machine, at: 2 * Self.second).places == batch.places)
    }

    @Test("a nudge's answer that a hint overtook wakes who asks")
    func answerWakes() throws {
        var machine = machine(hintedAt: ["timer:1"])
        let batch = try questions(&machine)
        _ = machine.answered(batch, [.integer(100)], sent: 5, now: 6)
        let now = 2 * Self.second
        guard case .send(let nudge) = machine.nextNudges(now: now) else { throw NothingAsked() }
        _ = machine.hint(Array("timer:1".utf8), now: now + 1)
        _ = machine.takeAwaited()
        _ = machine.answered(nudge, [.integer(60_000)], sent: now, now: now + 2)
        let isAwaited = machine.takeAwaited()
        #expect(isAwaited)
    }

    @Test(
        "after its key was released an answer, or none, changes nothing", arguments: [-2, -1, 60_000, nil] as [Int64?])
    func afterRelease(number: Int64?) throws {
        var machine = machine(hintedAt: ["timer:1", "timer:2"])
        let batch = try questions(&machine)
        let released = machine.release(batch.places[0])
        let again = machine.release(batch.places[0])
        #expect(released?.key == Array("timer:1".utf8))
        #expect(again == nil)
        if let number {
            _ = machine.answered(batch, [.integer(number), .integer(60_000)], sent: 5, now: 6)
        } else {
            machine.failed(batch, now: 6)
        }
        machine.putOff(batch.places[0], 6)
        #expect(machine.table.places.map { machine.table.key($0) } == [Array("timer:2".utf8)])
        #expect(machine.table.wheel.count == 1)
    }

    @Test("row 93: a key that is given away while a question about it is queued, and comes back, is asked about")
    func givenToAndFro() throws {
        var machine = machine(hintedAt: ["timer:1"])
        let batch = try questions(&machine)
        _ = machine.answered(batch, [.integer(100)], sent: 5, now: 6)
        let now = 2 * Self.second
        _ = machine.hint(Array("timer:1".utf8), now: now)
        guard case .send(let nudge) = machine.nextNudges(now: now) else { throw NothingAsked() }
        // The nudge is answered with MOVED; the node it names says the same of its own a moment later.
        let released = machine.release(nudge.places[0])
        let known = try #require(released)
        machine.adopt(unsafe known.key.span.bytes, known, isImporting: true, now: now + 1)
        #expect(try questions(&machine, at: now + 2).places == batch.places)
    }

    @Test("a hint's question that is redirected leaves the deadline in doubt: the next owner is asked, too")
    func redirectedQuestion() throws {
        var machine = machine(hintedAt: ["timer:1"])
        machine.tellsDeadlines = true
        let first = try questions(&machine)
        _ = machine.answered(first, [.integer(1_790_000_060_000)], sent: 5, now: 6)
        // Shortened, and its slot moves before that can be asked about.
        let now = 2 * Self.second
        _ = machine.hint(Array("timer:1".utf8), now: now)
        let second = try questions(&machine, at: now)
        let outcome = machine.answered(
            second, [.error(RESPError("MOVED 1 127.0.0.1:7001"))], sent: now, now: now + 1)
        #expect(outcome.redirected.map { $0.place } == second.places)
        let released = machine.release(second.places[0])
        let known = try #require(released)
        #expect(known.isDoubtful)

        var other = self.machine(hintedAt: [])
        other.tellsDeadlines = true
        other.adopt(unsafe known.key.span.bytes, known, isImporting: false, now: now + 2)
        #expect(try questions(&other, at: now + 3).places.count == 1)
    }

    @Test(
        "after many nudges the server rests for as long as it worked: not for the way there and back, nor for what held it up",
        arguments: [(10, 0), (11, 1), (1_900, 50)] as [(Int64, Int64)])
    func restAfterNudges(took: Int64, rest: Int64) throws {
        let millisecond: Int64 = 1_000_000
        var machine = PunctualMachine(bytes: 1 << 20)
        machine.told(1_790_000_000 * Self.second, asked: 0, heard: 10 * millisecond)
        let later = 300 * millisecond
        machine.told(1_790_000_000 * Self.second + later, asked: later, heard: 700 * millisecond)
        machine.limits.nudges = 2
        let now = Self.second
        for key in ["timer:1", "timer:2"] { _ = machine.hint(Array(key.utf8), now: now) }
        let first = try questions(&machine, at: now)
        _ = machine.answered(first, [.integer(100), .integer(100)], sent: now, now: now)
        let sent = 2 * Self.second
        guard case .send(let nudges) = machine.nextNudges(now: sent) else { throw NothingAsked() }
        let heard = sent + took * millisecond
        _ = machine.answered(nudges, [.integer(-2), .integer(-2)], sent: sent, now: heard)
        #expect(max(machine.restsUntil, heard) == heard + rest * millisecond)
    }

    @Test("a nudge that is redirected leaves none: the next owner nudges at once")
    func redirectedNudge() throws {
        var machine = machine(hintedAt: ["timer:1"])
        let first = try questions(&machine)
        _ = machine.answered(first, [.integer(100)], sent: 5, now: 6)
        let now = 2 * Self.second
        guard case .send(let nudge) = machine.nextNudges(now: now) else { throw NothingAsked() }
        _ = machine.answered(nudge, [.error(RESPError("MOVED 1 127.0.0.1:7001"))], sent: now, now: now + 1)
        let released = machine.release(nudge.places[0])
        #expect(try #require(released).isDoubtful == false)
    }

    @Test("an expiration that was heard, a hint behind it, and no answer: the key was set again, and is asked about")
    func setAgainWithoutAnAnswer() throws {
        var machine = machine(hintedAt: ["timer:1"])
        let first = try questions(&machine)
        _ = machine.answered(first, [.integer(100)], sent: 5, now: 6)
        let now = 2 * Self.second
        guard case .send(let nudge) = machine.nextNudges(now: now) else { throw NothingAsked() }
        _ = machine.heard(Array("timer:1".utf8), now: now + 1)
        _ = machine.hint(Array("timer:1".utf8), now: now + 2)
        machine.failed(nudge, now: now + 3)
        guard case .send(let second) = machine.nextNudges(now: 3 * Self.second) else { throw NothingAsked() }
        #expect(second.places == nudge.places)
    }
}
