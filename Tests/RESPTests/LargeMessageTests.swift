import NIOCore
import Testing

@testable import RESP

/// Messages that are too large to be held: passed over, reported with their size, and nothing behind
/// them is lost.
@Suite struct LargeMessageTests {
    private static let message = Array("message".utf8)
    private static let limits = ReplyLimits(bulkBytes: 1_000, values: 16, replyBytes: 2_000, messageBytes: 100)

    private func pushes(_ stream: [UInt8], step: Int, limits: ReplyLimits = Self.limits) throws -> [Push] {
        var reader = ReplyReader(limits: limits)
        var rest = ByteBuffer(bytes: stream)
        var pushes: [Push] = []
        while let piece = rest.readSlice(length: min(step, rest.readableBytes)), piece.readableBytes > 0 {
            try reader.read(piece) { batch in
                batch.forEachPush { kind, channel, payload in
                    pushes.append(Push(kind, channel: Array(copying: channel), payload: Array(copying: payload)))
                }
            }
        }
        return pushes
    }

    private func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

    @Test("wherever the stream is cut", arguments: [1, 2, 3, 7, 16, 17, 50, 64, 100, 101, 997, 4096, .max])
    func nothingElseIsLost(step: Int) throws {
        let channels = ["__keyevent@0__:expired", "c"]
        var stream: [UInt8] = []
        var expected: [Push] = []
        for (index, count) in [3, 100, 101, 0, 99, 70_000, 20_000, 5, 102].enumerated() {
            let channel = Array(channels[index % 5 == 4 ? 1 : 0].utf8)
            let payload = payload(count)
            stream += array([Self.message, channel, payload])
            expected.append(
                count > 100
                    ? Push(.largeMessage(bytes: count), channel: channel, payload: Array(payload.prefix(64)))
                    : Push(.message, channel: channel, payload: payload))
            // Hiredis reads this, and may get the first bytes of the next message with it.
            stream += Array("*2\r\n$4\r\npong\r\n$0\r\n\r\n".utf8)
            expected.append(Push(.pong, payload: ""))
        }
        #expect(try pushes(stream, step: step) == expected)
    }

    @Test func itIsNotHeld() throws {
        var reader = ReplyReader(limits: Self.limits)
        let head = Array("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$300000000\r\n".utf8)
        try reader.read(ByteBuffer(bytes: head)) { _ in Issue.record("it is not complete") }
        let part = ByteBuffer(repeating: 0x61, count: 1 << 20)
        var left = 300_000_000
        while left > 0 {
            let piece = part.getSlice(at: 0, length: min(left, part.readableBytes)) ?? part
            try reader.read(piece) { _ in Issue.record("it is not complete") }
            left -= piece.readableBytes
            #expect(reader.footprint < 1 << 20)
        }
        var kinds: [PushKind] = []
        try reader.read(ByteBuffer(string: "\r\n")) { batch in batch.forEachPush { kind, _, _ in kinds.append(kind) } }
        #expect(kinds == [.largeMessage(bytes: 300_000_000)])
    }

    @Test func whatDoesNotEndWhereItSaysIsRefused() {
        let good = array([Self.message, [0x63], payload(200)])
        for position in [good.count - 2, good.count - 1] {
            var bad = good
            bad[position] = UInt8(ascii: "x")
            for step in [1, .max] {
                #expect(throws: ProtocolError.self) { try pushes(bad, step: step) }
            }
        }
    }

    @Test func withoutTheLimitItIsDeliveredOrRefusedAsBefore() throws {
        let stream = array([Self.message, [0x63], payload(500)])
        #expect(try pushes(stream, step: .max, limits: ReplyLimits(bulkBytes: 1_000)).map(\.kind) == [.message])
        #expect(throws: ProtocolError.self) {
            try pushes(stream, step: .max, limits: ReplyLimits(bulkBytes: 400))
        }
    }
}
