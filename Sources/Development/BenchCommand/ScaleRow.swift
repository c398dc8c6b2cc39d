import Foundation
import ThrowawayRedis

/// What the servers have done so far, all together.
struct ServerCounts {
    var commands = 0
    var scripts = 0
    /// PUBLISHes passed on over the cluster bus, counted at every receiver.
    var busPublishes = 0

    /// Asking is itself a command or two at each node, in every count alike.
    static func of(_ cluster: ThrowawayCluster) async throws -> ServerCounts {
        var sum = ServerCounts()
        for node in cluster.nodes {
            let lines = try await node.script(["INFO stats", "INFO commandstats", "CLUSTER INFO"])
                .split(whereSeparator: \.isNewline)
            for line in lines {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                switch parts[0] {
                case "total_commands_processed": sum.commands += Int(parts[1]) ?? 0
                case "cmdstat_eval", "cmdstat_evalsha": sum.scripts += calls(parts[1])
                case "cluster_stats_messages_publish_received": sum.busPublishes += Int(parts[1]) ?? 0
                default: break
                }
            }
        }
        return sum
    }

    /// `calls=12,usec=…`
    private static func calls(_ text: Substring) -> Int {
        text.split(separator: ",").first.flatMap { Int($0.dropFirst("calls=".count)) } ?? 0
    }

    static func - (left: Self, right: Self) -> Self {
        ServerCounts(
            commands: left.commands - right.commands, scripts: left.scripts - right.scripts,
            busPublishes: left.busPublishes - right.busPublishes)
    }
}

/// One size of the cluster.
struct ScaleRow {
    let nodes: Int
    let replicas: Int
    /// Parts of one core.
    let leader: Double
    /// The busiest of them.
    let follower: Double?
    /// The largest of the group, in bytes.
    let memory: Int
    let traffic: ServerCounts
    let took: Duration

    static let header = """
        | nodes | replicas | leader, % of a core | follower | RSS, MiB | commands/s a replica | a node | \
        scripts/s a replica | bus publishes/s |
        |---|---|---|---|---|---|---|---|---|
        """

    var text: String {
        let seconds = took / .seconds(1)
        // The second look is in the difference: four commands at each node.
        let commands = Double(traffic.commands - 4 * nodes) / seconds / Double(replicas)
        let scripts = Double(traffic.scripts) / seconds / Double(replicas)
        return String(
            format: "| %d | %d | %.2f | %@ | %.1f | %.1f | %.2f | %.2f | %.1f |", nodes, replicas, leader * 100,
            follower.map { String(format: "%.2f", $0 * 100) } ?? "–", Double(memory) / 1_048_576, commands,
            commands / Double(nodes), scripts,
            Double(traffic.busPublishes) / seconds)
    }
}
