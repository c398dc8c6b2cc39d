import RESP

/// Which server it is. An address is only where it was last seen: names move, and addresses are used
/// again.
package enum ServerIdentity: Sendable, Hashable {
    /// A server process, by the run ID that INFO server tells.
    case process(String)
    /// A cluster node, by the ID that CLUSTER NODES tells of the one that answers.
    case clusterNode(String)

    /// The question that tells it.
    var question: RESPCommand {
        switch self {
        case .process: RESPCommand("INFO", "server")
        case .clusterNode: RESPCommand("CLUSTER", "NODES")
        }
    }

    /// The identity of the same kind that an answer tells; nil when it tells none.
    func told(by answer: RESPValue) -> ServerIdentity? {
        switch self {
        case .process: infoField("run_id", in: answer).flatMap { $0.isEmpty ? nil : .process($0) }
        case .clusterNode: ClusterTable.ownID(in: answer).map { .clusterNode($0) }
        }
    }

    package var id: String {
        switch self {
        case .process(let id), .clusterNode(let id): id
        }
    }
}
