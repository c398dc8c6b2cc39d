import RedisClient
import Synchronization

/// What became of each node's expirations, by address.
final class Account: Sendable {
    struct Entry: Sendable {
        var lost: UInt64 = 0
        var ignored: UInt64 = 0
    }

    private let entries = Mutex<[String: Entry]>([:])

    func lost(_ node: String, _ count: UInt64) { entries.withLock { $0[node, default: Entry()].lost += count } }
    func ignored(_ node: String, _ count: UInt64) { entries.withLock { $0[node, default: Entry()].ignored += count } }

    subscript(node: String) -> Entry { entries.withLock { $0[node] ?? Entry() } }
}
