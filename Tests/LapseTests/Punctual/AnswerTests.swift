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
}
