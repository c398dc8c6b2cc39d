import RedisClient
import Synchronization

/// What became of each node's expirations, by address.
final class NodeTotals: Sendable {
    struct Entry: Sendable {
        var lost: UInt64 = 0
        var ignored: UInt64 = 0

        static func + (left: Entry, right: Entry) -> Entry {
            Entry(lost: left.lost + right.lost, ignored: left.ignored + right.ignored)
        }
    }

    private let entries = Mutex<[String: Entry]>([:])

    func lost(_ node: String, _ count: UInt64) { entries.withLock { $0[node, default: Entry()].lost += count } }
    func ignored(_ node: String, _ count: UInt64) { entries.withLock { $0[node, default: Entry()].ignored += count } }

    /// Nodes have other addresses now, each former one with its present one.
    func follow(_ moved: [NodeAddress: NodeAddress]) {
        entries.withLock { entries in
            for (former, home) in moved {
                guard let left = entries.removeValue(forKey: "\(former)") else { continue }
                entries["\(home)", default: Entry()] = entries["\(home)", default: Entry()] + left
            }
        }
    }

    func forget(_ nodes: [String]) {
        entries.withLock { entries in
            for node in nodes { entries[node] = nil }
        }
    }

    subscript(node: String) -> Entry { entries.withLock { $0[node] ?? Entry() } }
}
