import RESP
import RedisClient

/// The server process at an address, as it is met before its feed is opened: only what belongs here is
/// listened to.
struct MetProcess: Sendable {
    let runID: String
    /// In a cluster.
    var nodeID: String?
    /// How long it has been running; nil when it does not say.
    let uptime: Duration?
    let databases: Int

    /// Learns which process answers. Throws ``RedisError/Kind/otherServer`` when that is not the node that
    /// the topology means.
    ///
    /// - Parameter known: the number of databases of a process met before: it cannot change while the
    ///   process runs.
    static func meet(
        _ client: NodeClient, _ topology: Topology?, known: (runID: String, databases: Int)?
    ) async throws(RedisError) -> MetProcess {
        let isCluster = topology?.mode == .cluster
        let answers = try await client.send([RESPCommand("INFO", "server")])
        if let error = answers.first?.error { throw RedisError(error, node: client.address) }
        guard let info = answers.first, let runID = infoField("run_id", in: info), !runID.isEmpty else {
            throw RedisError(.protocolViolation, node: client.address, "INFO server names no run_id")
        }
        let process = ServerIdentity.process(runID)
        var nodeID: String?
        if isCluster {
            guard let node = topology?.node(at: client.address) else {
                throw RedisError(.otherServer, node: client.address, "no node of the cluster has this address any more")
            }
            // Asked once for each connection: a connection cannot lead to another process.
            _ = try await client.send([RESPCommand("PING")], to: .clusterNode(node.id))
            nodeID = node.id
        }
        var databases = known?.runID == runID ? known?.databases : nil
        if databases == nil { databases = try await DatabaseCount.ask(client, to: process, isCluster: isCluster) }
        return MetProcess(
            runID: runID, nodeID: nodeID,
            uptime: infoField("uptime_in_seconds", in: info).flatMap { Int64($0) }.map { .seconds($0) },
            databases: databases ?? DatabaseCount.assumed)
    }
}
