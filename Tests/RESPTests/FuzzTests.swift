import Foundation
import NIOCore
import Testing

@testable import RESP

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Streams that are almost right, and streams that are not at all.
@Suite struct FuzzTests {
    static let rounds = ProcessInfo.processInfo.environment["LAPSE_SLOW_TESTS"] == nil ? 3_000 : 300_000
    static let seed = ProcessInfo.processInfo.environment["LAPSE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 20_261

    @Test(arguments: 0..<4) func survivesAnything(worker: UInt64) {
        var numbers = SeededNumbers(state: Self.seed &+ worker &* 1_000_003)
        let limits = ReplyLimits(
            bulkBytes: 4_096, values: 256, replyBytes: 8_192, messageBytes: worker % 2 == 0 ? nil : 20)
        for round in 0..<Self.rounds {
            let stream = Bool.random(using: &numbers) ? mutated(&numbers) : garbage(&numbers)
            var reader = ReplyReader(limits: limits)
            var values: [RESPValue] = []
            var pushCount = 0
            var count = 0
            var error: ProtocolError?
            var rest = ByteBuffer(bytes: stream)
            while rest.readableBytes > 0 {
                let step = Int.random(in: 1...200, using: &numbers)
                guard let piece = rest.readSlice(length: min(step, rest.readableBytes)) else { break }
                do {
                    try reader.read(piece) { batch in
                        count += batch.count
                        values += batch.values()
                        batch.forEachPush { _, _, _ in pushCount += 1 }
                    }
                    #expect(error == nil, "seed \(Self.seed), round \(round): the error was forgotten")
                } catch let thrown {
                    #expect(error == nil || error == thrown, "seed \(Self.seed), round \(round)")
                    error = thrown
                }
            }
            #expect(values.count == count && pushCount == count, "seed \(Self.seed), round \(round)")
            #expect(reader.footprint < 1 << 18, "seed \(Self.seed), round \(round)")
            // However it is cut, a stream says the same.
            #expect(decode(stream, limits: limits) == Decoded(values: values, error: error), "round \(round)")
        }
    }

    private func mutated(_ numbers: inout SeededNumbers) -> [UInt8] {
        var stream: [UInt8] = []
        for _ in 0..<Int.random(in: 1...12, using: &numbers) { append(to: &stream, depth: 0, &numbers) }
        for _ in 0..<Int.random(in: 0...4, using: &numbers) where !stream.isEmpty {
            let index = Int.random(in: stream.indices, using: &numbers)
            switch Int.random(in: 0..<4, using: &numbers) {
            case 0: stream[index] = UInt8.random(in: .min ... .max, using: &numbers)
            case 1: stream.remove(at: index)
            case 2: stream.insert(Array("$*:+-0123456789\r\n".utf8).randomElement(using: &numbers) ?? 0, at: index)
            default: stream.removeSubrange(index...)
            }
        }
        return stream
    }

    private func garbage(_ numbers: inout SeededNumbers) -> [UInt8] {
        let alphabet = Array("$*:+-,#_%~>=(|0123456789\r\n\r\n\r\nab".utf8)
        return (0..<Int.random(in: 0...300, using: &numbers)).map { _ in
            numbers.next() % 50 == 0
                ? UInt8.random(in: .min ... .max, using: &numbers) : alphabet.randomElement(using: &numbers) ?? 0
        }
    }

    private func append(to stream: inout [UInt8], depth: Int, _ numbers: inout SeededNumbers) {
        switch Int.random(in: 0..<(depth < 3 ? 8 : 5), using: &numbers) {
        case 0: stream += Array("+OK\r\n".utf8)
        case 1: stream += Array(":\(Int64.random(in: .min ... .max, using: &numbers))\r\n".utf8)
        case 2: stream += Array("$-1\r\n".utf8)
        case 3: stream += Array("-ERR wrong\r\n".utf8)
        case 4:
            stream += bulk(
                (0..<Int.random(in: 0...40, using: &numbers)).map { _ in
                    UInt8.random(in: .min ... .max, using: &numbers)
                })
        case 5: stream += array([Array("message".utf8), [0x63], Array("key:\(numbers.next())".utf8)])
        default:
            let elements = Int.random(in: 0...5, using: &numbers)
            stream += Array("*\(elements)\r\n".utf8)
            for _ in 0..<elements { append(to: &stream, depth: depth + 1, &numbers) }
        }
    }
}
