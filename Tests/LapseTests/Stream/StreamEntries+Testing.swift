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
        var (found, at): ([UInt64], Int) = ([], 0)
        func number(_ index: Int) -> UInt64? { words[index].flatMap { UInt64(String(buffer: $0)) } }
        while let entries = number(at), let own = number(at + 2).map({ Int($0) }), let fields = number(at + 3 + own) {
            at += 5 + own + Int(fields)
            found += (0..<Int(entries)).compactMap { number(at + $0 * own) }
            at += Int(entries) * own
        }
        return found
    }
}

extension Expiration {
    var digest: KeyDigest { KeyDigest(database: database, key: key.bytes) }
}
