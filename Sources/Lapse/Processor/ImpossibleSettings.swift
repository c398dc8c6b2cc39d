import RESP
package import RedisClient

/// Settings that can never work on the servers found: told at the start, where an operator looks.
///
/// What a server does not answer, or this user may not ask, is no reason: a start must not depend on
/// it.
package struct ImpossibleSettings: Sendable {
    private let configuration: ProcessorConfiguration
    private let deployment: Deployment
    private let nodes: NodeDirectory

    package init(_ configuration: ProcessorConfiguration, _ deployment: Deployment, nodes: NodeDirectory) {
        self.configuration = configuration
        self.deployment = deployment
        self.nodes = nodes
    }

    /// Throws ``LapseError``, which names the option, the server and the fix.
    package func check(_ topology: Topology) async throws(LapseError) {
        let databases = Set(RunningProcessor.databases(configuration, deployment)).subtracting([0]).sorted()
        let asksMode = deployment.seeds.mode == .standalone
        guard asksMode || !databases.isEmpty else { return }
        for master in topology.masters.prefix(Self.asked) {
            let client = nodes[master.address]
            if asksMode, try await isClusterNode(client) {
                throw .configuration(
                    "topology", value: "standalone",
                    "\(master.address) is a node of a cluster: leave it out, or say cluster")
            }
            for database in databases { try await check(database, topology.mode, client) }
        }
    }

    /// The error of a look at the servers, if another setting would mend it.
    package static func explain(_ error: RedisError) -> LapseError? {
        guard case .reply(let reply) = error.kind, reply.text.contains("cluster support disabled") else { return nil }
        return .configuration(
            "topology", value: "cluster", "\(error.node.map { "\($0)" } ?? "the server") is no node of a cluster")
    }

    /// All masters of a deployment are set up alike, or the doctor says so.
    private static let asked = 3

    private func isClusterNode(_ client: NodeClient) async throws(LapseError) -> Bool {
        guard let reply = try? await client.send([RESPCommand("INFO", "cluster")]).first else { return false }
        return infoField("cluster_enabled", in: reply) == "1"
    }

    private func check(_ database: Int, _ mode: Topology.Mode, _ client: NodeClient) async throws(LapseError) {
        let back = "\(client.settings.database)"
        guard
            let replies = try? await client.send([
                RESPCommand("SELECT", "\(database)"), RESPCommand("SELECT", back),
                RESPCommand("CONFIG", "GET", mode == .cluster ? "cluster-databases" : "databases"),
            ]), replies.count == 3
        else { return }
        guard case .error(let error) = replies[0] else { return }
        var count = replies[2].array?.last?.string.flatMap { Int($0) }
        if error.text.contains("not allowed in cluster mode") {
            count = 1
        } else if mode == .cluster, replies[2].array?.isEmpty == true {
            // A server that has never heard of databases in a cluster.
            count = 1
        }
        guard error.text.contains("out of range") || count.map({ database >= $0 }) ?? false else { return }
        if count == 1, mode == .cluster {
            throw .configuration(
                "databases", value: "\(database)",
                "a cluster of \(client.address) has database 0 only: leave it out")
        }
        let has = count.map { "databases 0 to \($0 - 1)" } ?? "no such database"
        throw .configuration(
            "databases", value: "\(database)",
            "\(client.address) has \(has): raise 'databases' in its configuration, or name another"
        )
    }
}
