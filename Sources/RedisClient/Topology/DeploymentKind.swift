import RESP

/// What kind of deployment a server belongs to, by its own word.
///
/// `cluster_enabled` of INFO cluster decides: Redis and Valkey both have it. The mode itself is
/// `redis_mode` to Redis and `server_mode` to Valkey 8 and later. A server that names neither is not
/// taken for a single one.
enum DeploymentKind {
    static let questions = [RESPCommand("INFO", "server"), RESPCommand("INFO", "cluster")]

    /// Nil when the answers name no mode.
    static func read(server: RESPValue, cluster: RESPValue) -> Topology.Mode? {
        let named = (infoField("redis_mode", in: server) ?? infoField("server_mode", in: server)).flatMap(mode)
        if named == .sentinel { return .sentinel }
        switch infoField("cluster_enabled", in: cluster) {
        case "1": return .cluster
        case "0": return .standalone
        default: return named
        }
    }

    private static func mode(_ word: String) -> Topology.Mode? { Topology.Mode(rawValue: word) }

    /// The kind on which all servers agree. Throws when they do not, or when none says.
    static func agreed(_ answers: [(node: NodeAddress, replies: [RESPValue])]) throws(RedisError) -> Topology.Mode {
        var found: (node: NodeAddress, mode: Topology.Mode)?
        for (node, replies) in answers {
            guard let mode = read(server: replies[0], cluster: replies[1]) else { continue }
            if mode == .sentinel {
                throw RedisError(
                    .protocolViolation, node: node, "this is a Sentinel: use redis+sentinel://\(node)/mymaster")
            }
            if let found, found.mode != mode {
                throw RedisError(
                    .protocolViolation, node: node,
                    "this is \(words(mode)), but \(found.node) is \(words(found.mode)): name servers of one deployment")
            }
            found = (node, mode)
        }
        guard let found else {
            throw RedisError(
                .protocolViolation, node: answers.first?.node,
                "INFO names neither redis_mode, server_mode nor cluster_enabled: choose with --topology")
        }
        return found.mode
    }

    private static func words(_ mode: Topology.Mode) -> String {
        mode == .cluster ? "a node of a cluster" : "a single server"
    }
}
