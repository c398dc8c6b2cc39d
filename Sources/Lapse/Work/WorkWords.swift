import ExpirationStream
import RESP
import RedisClient
import Synchronization

/// The keys of the scripts, made once for each partition: they go with each order.
final class WorkKeys: Sendable {
    private let known = Mutex<[String: [[UInt8]]]>([:])

    /// The stream, and the hash of the attempts that its group has begun.
    func of(_ partition: String, _ group: String) throws(RedisError) -> [[UInt8]] {
        if let keys = known.withLock({ $0[partition] }) { return keys }
        guard let beside = try? StreamKeys(partition) else {
            throw RedisError(.noNode, node: nil, "\(partition) is no key of a stream")
        }
        let keys = [partition, beside.beside(0, "attempts:\(group)")].map { Array($0.utf8) }
        known.withLock { $0[partition] = keys }
        return keys
    }
}

extension RESPWords {
    /// - Parameter word: memory for one word after the other.
    mutating func append(_ id: StreamID, _ word: inout [UInt8]) {
        word.removeAll(keepingCapacity: true)
        word.append(decimal: id.milliseconds)
        word.append(UInt8(ascii: "-"))
        word.append(decimal: id.number)
        append(word)
    }
}

extension [UInt8] {
    /// Adds the digits of a number. Two or three of them go with each entry: a text of each would cost more
    /// than the rest of the order.
    mutating func append(decimal number: UInt64) {
        let start = count
        var rest = number
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}
