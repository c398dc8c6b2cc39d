import Lapse
import RESP
import RedisClient

/// What one node says of itself: its process, and how many keys it has expired.
struct NodeCounter: Sendable {
    let node: Topology.Node
    var runID: String?
    var expired: UInt64?
    var error: String?

    /// Asks all nodes at once.
    static func read(_ nodes: [Topology.Node], _ directory: NodeDirectory) async -> [NodeCounter] {
        await withTaskGroup(of: NodeCounter.self) { group in
            for node in nodes { group.addTask { await read(node, directory[node.address]) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.node.address < $1.node.address }
        }
    }

    private static func read(_ node: Topology.Node, _ client: NodeClient) async -> NodeCounter {
        var counter = NodeCounter(node: node)
        do throws(RedisError) {
            let replies = try await client.send([RESPCommand("INFO", "server"), RESPCommand("INFO", "stats")])
            if let refusal = replies.lazy.compactMap(\.error).first { throw RedisError(refusal, node: node.address) }
            counter.runID = infoField("run_id", in: replies[0])
            counter.expired = infoCount("expired_keys", in: replies[1])
        } catch {
            counter.error = error.text
        }
        return counter
    }

    /// Compares with how far the leader is.
    func entry(_ record: GroupRecord) -> GroupReport.Node {
        var entry = GroupReport.Node(
            address: "\(node.address)", role: node.role.rawValue, runID: runID, expired: expired, error: error)
        guard let runID, let expired, let own = record.progress[runID] else { return entry }
        entry.through = own.cursor.through
        entry.pending = own.cursor.pending.count
        entry.account = record.accounts[runID]?.account
        let last = UInt64(max(0, Int64(expired) + own.base))
        entry.backlog = last - min(last, own.cursor.through) + UInt64(own.cursor.pending.count)
        return entry
    }
}
