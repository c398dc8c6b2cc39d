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
    mutating func append(_ id: StreamID) { append(id.milliseconds, UInt8(ascii: "-"), id.number) }
}
