import ExpirationStream
import NIOCore
import RESP

@testable import Lapse

extension StreamEntries {
    /// As a leader of term 1 with the token 7 writes them.
    init(_ expirations: [Expiration]) {
        var encoder = StreamEncoder(term: 1, token: 7)
        for expiration in expirations { encoder.append(expiration, expiration.digest) }
        self = encoder.finish()
    }

    init(ordinals: ClosedRange<UInt64>) {
        self.init(
            ordinals.map {
                Expiration(key: ExpirationKey(bytes: [1]), position: Position(runID: "run", ordinal: $0))
            })
    }

    /// Read back from the words of a call.
    var ordinals: [UInt64] {
        let texts = words.texts
        var (found, at): ([UInt64], Int) = ([], 0)
        func number(_ index: Int) -> UInt64? { texts.indices.contains(index) ? UInt64(texts[index]) : nil }
        while let entries = number(at), let own = number(at + 2).map({ Int($0) }), let fields = number(at + 3 + own) {
            at += 5 + own + Int(fields)
            found += (0..<Int(entries)).compactMap { number(at + $0 * own) }
            at += Int(entries) * own
        }
        return found
    }
}

extension RESPCommand {
    /// All words: one by one each is looked for from the beginning.
    fileprivate var texts: [String] {
        var buffer = ByteBuffer()
        encode(into: &buffer)
        func length() -> Int {
            buffer.moveReaderIndex(forwardBy: 1)
            var length = 0
            while let digit: UInt8 = buffer.readInteger(), digit != UInt8(ascii: "\r") {
                length = length * 10 + Int(digit - UInt8(ascii: "0"))
            }
            buffer.moveReaderIndex(forwardBy: 1)
            return length
        }
        var texts: [String] = []
        for _ in 0..<length() {
            let bytes = length()
            texts.append(buffer.readString(length: bytes) ?? "")
            buffer.moveReaderIndex(forwardBy: 2)
        }
        return texts
    }
}

extension Expiration {
    var digest: KeyDigest { KeyDigest(database: database, key: key.bytes) }
}
