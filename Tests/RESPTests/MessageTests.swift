import NIOCore
import Testing

@testable import RESP

/// Messages of the plain form are read without hiredis. There is no difference to see, however the
/// stream is cut.
@Suite struct MessageTests {
    private static let message = Array("message".utf8)
    private static let channels = ["__keyevent@0__:expired", "__keyevent@15__:expired", "lapse:default", "", "c"]

    /// The same bytes but for one letter: no message, so all of it is hiredis' to judge.
    private static func twin(_ stream: [UInt8]) -> [UInt8] {
        var twin = stream
        for index in stream.indices where stream[index...].starts(with: message) { twin[index + 1] = UInt8(ascii: "a") }
        return twin
    }

    /// What hiredis said of the twin, with the letter put back.
    private static func decodeTwin(_ stream: [UInt8], limits: ReplyLimits = ReplyLimits()) -> Decoded {
        var decoded = decode(twin(stream), limits: limits)
        decoded.values = decoded.values.map(letterPutBack)
        return decoded
    }

    /// A damaged message may fall into its parts, or take the next one into it: the word may stand
    /// anywhere.
    private static func letterPutBack(_ value: RESPValue) -> RESPValue {
        switch value {
        case .array(let elements): return .array(elements.map(letterPutBack))
        case .bulk(let text):
            var bytes = Array(text.readableBytesView)
            for index in bytes.indices where bytes[index...].starts(with: "massage".utf8) {
                bytes[index + 1] = UInt8(ascii: "e")
            }
            return .bulk(ByteBuffer(bytes: bytes))
        default: return value
        }
    }

    private static func payload(_ numbers: inout SeededNumbers) -> [UInt8] {
        let count =
            switch numbers.next() % 12 {
            case 0: 0
            case 1: Int.random(in: 4_000...5_000, using: &numbers)
            case 2: Int.random(in: 200...400, using: &numbers)
            default: Int.random(in: 1...40, using: &numbers)
            }
        return (0..<count).map { _ in "ab*$\r\n3\0".utf8.randomElement(using: &numbers) ?? 0 }
    }

    @Test(arguments: 0..<60) func theWayMakesNoDifference(_ seed: UInt64) {
        var numbers = SeededNumbers(state: seed)
        var stream: [UInt8] = []
        var expected: [Push] = []
        for _ in 0..<Int.random(in: 1...60, using: &numbers) {
            if numbers.next() % 8 == 0 {
                let isPlain = numbers.next() % 2 == 0
                stream += Array((isPlain ? "+PONG\r\n" : "*2\r\n$4\r\npong\r\n$0\r\n\r\n").utf8)
                expected.append(Push(.pong, payload: isPlain ? "PONG" : ""))
                continue
            }
            let channel = Array((Self.channels.randomElement(using: &numbers) ?? "").utf8)
            let payload = Self.payload(&numbers)
            stream += array([Self.message, channel, payload])
            expected.append(Push(.message, channel: channel, payload: payload))
        }
        let judged = Self.decodeTwin(stream)
        for step in [.max] + (0..<6).map({ _ in Int.random(in: 1...300, using: &numbers) }) {
            #expect(pushes(stream, step: step) == expected, "in pieces of \(step)")
            #expect(decode(stream, step: step) == judged, "in pieces of \(step)")
        }
    }

    @Test(arguments: 0..<40) func aFaultIsTheSameFault(_ seed: UInt64) {
        var numbers = SeededNumbers(state: seed &+ 1_000)
        for _ in 0..<60 {
            let good = array([Self.message, Array("c".utf8), Self.payload(&numbers)])
            var bad = array([Self.message, Array("channel".utf8), Array("payload".utf8)])
            // Not in the word itself, where the twins differ.
            let index = (bad.indices.filter { !(8..<15).contains($0) }).randomElement(using: &numbers) ?? 0
            switch numbers.next() % 3 {
            case 0: bad[index] = "$*:+-0189\r\nx".utf8.randomElement(using: &numbers) ?? 0
            case 1: bad.remove(at: index)
            default: bad.insert(UInt8(ascii: "1"), at: index)
            }
            let stream = good + bad + good
            let judged = Self.decodeTwin(stream)
            for step in [1, 7, 64, .max] {
                #expect(decode(stream, step: step) == judged, "\(String(decoding: bad, as: UTF8.self)), \(step)")
            }
        }
    }

    @Test(arguments: [
        ReplyLimits(bulkBytes: 6), ReplyLimits(bulkBytes: 9), ReplyLimits(bulkBytes: 10), ReplyLimits(values: 3),
        ReplyLimits(values: 4), ReplyLimits(replyBytes: 6), ReplyLimits(replyBytes: 17), ReplyLimits(replyBytes: 18),
    ])
    func theLimitsAreTheSame(_ limits: ReplyLimits) {
        let stream = array([Self.message, [0x63], Array("0123456789".utf8)])
        for length in 0...stream.count {
            let start = Array(stream.prefix(length))
            for step in [1, 5, 100] {
                #expect(decode(start, step: step, limits: limits) == Self.decodeTwin(start, limits: limits))
            }
        }
    }

    @Test func messagesComeInRuns() throws {
        var stream: [UInt8] = []
        for number in 0..<5 { stream += array([Self.message, Array("a".utf8), Array("key\(number)".utf8)]) }
        stream +=
            array([Self.message, Array("b".utf8), []]) + array([Self.message, Array("b".utf8), Array("{x".utf8)])
        var reader = ReplyReader()
        var runs: [Int] = []
        var marked: [[UInt8]] = []
        var together: [[UInt8]] = []
        try reader.read(ByteBuffer(bytes: stream)) { batch in
            batch.forEachPush { run in
                runs.append(run.count)
                run.forEachPayload(beginningWith: Array("{".utf8)) { marked.append([UInt8](copying: $0)) }
                run.withPayloads { together.append([UInt8](copying: $0)) }
            } other: { _, _, _ in
                Issue.record("nothing else was sent")
            }
        }
        #expect(runs == [5, 2])
        #expect(marked == [Array("{x".utf8)])
        #expect(together == [Array("key0key1key2key3key4".utf8), Array("{x".utf8)])
    }
}
