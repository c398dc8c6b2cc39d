import NIOCore

@testable import RESP

/// Everything that a stream of bytes gives, and the error that ended it.
struct Decoded: Equatable {
    var values: [RESPValue] = []
    var error: ProtocolError?
}

/// A push message with its bytes copied, to compare with.
struct Push: Equatable, CustomStringConvertible {
    var kind: PushKind
    var channel: [UInt8]
    var payload: [UInt8]

    init(_ kind: PushKind, channel: [UInt8] = [], payload: [UInt8] = []) {
        self.kind = kind
        self.channel = channel
        self.payload = payload
    }

    init(_ kind: PushKind, channel: String = "", payload: String = "") {
        self.init(kind, channel: Array(channel.utf8), payload: Array(payload.utf8))
    }

    var description: String { "\(kind) \(channel.count) \(payload.prefix(32))" }
}

/// Reads the stream in pieces of `step` bytes, until it fails.
func decode(_ stream: [UInt8], step: Int = .max, limits: ReplyLimits = ReplyLimits()) -> Decoded {
    var decoded = Decoded()
    decoded.error = readInPieces(stream, step: step, limits: limits) { decoded.values += $0.values() }
    return decoded
}

func decode(_ stream: String, step: Int = .max, limits: ReplyLimits = ReplyLimits()) -> Decoded {
    decode(Array(stream.utf8), step: step, limits: limits)
}

/// The push messages of a stream that must be correct.
func pushes(_ stream: [UInt8], step: Int = .max) -> [Push] {
    var pushes: [Push] = []
    let error = readInPieces(stream, step: step, limits: ReplyLimits()) { batch in
        batch.forEachPush { kind, channel, payload in
            pushes.append(Push(kind, channel: Array(copying: channel), payload: Array(copying: payload)))
        }
    }
    precondition(error == nil, "the stream of this test is not RESP2")
    return pushes
}

private func readInPieces(
    _ stream: [UInt8], step: Int, limits: ReplyLimits, _ body: (borrowing ReplyBatch) -> Void
) -> ProtocolError? {
    var reader = ReplyReader(limits: limits)
    var rest = ByteBuffer(bytes: stream)
    do {
        while let piece = rest.readSlice(length: min(step, rest.readableBytes)), piece.readableBytes > 0 {
            try reader.read(piece, body)
        }
        return nil
    } catch {
        return error
    }
}

/// A bulk string, or an array of bulk strings, as a server writes it.
func bulk(_ bytes: [UInt8]) -> [UInt8] {
    Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
}

func array(_ words: [[UInt8]]) -> [UInt8] {
    Array("*\(words.count)\r\n".utf8) + words.flatMap(bulk)
}
