import RESP
import Testing

@testable import Lapse

struct HandOverTests {
    private static let second: Int64 = 1_000_000_000
    private static let count = 5_000

    /// Every tenth key falls due within ten seconds, the others in an hour.
    private func machine() throws -> PunctualMachine {
        var machine = PunctualMachine(bytes: 8 << 20)
        machine.told(1_790_000_000 * Self.second, asked: 0, heard: 0)
        for number in 0..<Self.count { _ = machine.hint(Array("timer:\(number)".utf8), now: 5) }
        var now = Int64(5)
        while case .send(let batch) = machine.nextQuestions(now: now) {
            let answers = batch.places.map { place -> RESPValue in
                .integer((Self.number(machine.table.key(place)) ?? 0).isMultiple(of: 10) ? 5_000 : 3_600_000)
            }
            _ = machine.answered(batch, answers, sent: now, now: now)
            now += 4_000_000
        }
        return machine
    }

    private static func number(_ key: [UInt8]) -> Int? { Int(String(decoding: key.dropFirst(6), as: UTF8.self)) }

    @Test("a hand-over is cut into slices, what falls due soon first, and each key is in one of them")
    func slices() throws {
        var handOver = HandOver(try machine(), now: Self.second)
        var slices: [[Int]] = []
        while case let slice = handOver.next(), !slice.isEmpty {
            slices.append(slice.compactMap { Self.number($0.key) })
        }
        #expect(slices.map(\.count) == [2_048, 2_048, Self.count - 4_096])
        #expect(slices.joined().sorted() == Array(0..<Self.count))
        #expect(slices[0].filter { $0.isMultiple(of: 10) }.count == Self.count / 10)
    }

    @Test("what happens to the machine after its end changes nothing about what is handed over")
    func laterChanges() throws {
        var machine = try machine()
        var handOver = HandOver(machine, now: Self.second)
        for place in machine.table.places { machine.forget(place) }
        var keys: Set<[UInt8]> = []
        while case let slice = handOver.next(), !slice.isEmpty { keys.formUnion(slice.map(\.key)) }
        #expect(keys.count == Self.count)
        #expect(machine.table.count == 0)
    }
}
