import RESP
import Synchronization

/// Looks at one Redis and its replicas by `INFO replication`.
final class StandaloneDiscovery: Discovery {
    private let seeds: [NodeAddress]
    private let nodes: NodeDirectory
    private let map: AddressMap
    private let group: Mutex<ReplicationGroup>
    private static let questions = [RESPCommand("INFO", "server"), RESPCommand("INFO", "replication")]

    init(seeds: [NodeAddress], nodes: NodeDirectory, map: AddressMap) {
        self.seeds = seeds
        self.nodes = nodes
        self.map = map
        group = Mutex(ReplicationGroup(seeds: seeds))
    }

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        var asked: Set<NodeAddress> = []
        var news = Set(seeds).union(known?.nodes.map(\.address) ?? []).union(known?.aliases.keys.map(\.self) ?? [])
            .union(doubts)
        var words: [ReplicationWord] = []
        // A seed may be a replica: its master, and that one's other replicas, are asked in further rounds.
        for round in 0..<3 where !news.isEmpty {
            asked.formUnion(news)
            do throws(RedisError) {
                let answers = try await askAll(
                    news.sorted(), nodes, Self.questions, timeout: round == 0 ? patience(known) : .seconds(1))
                words += answers.map {
                    ReplicationWord(server: $0.replies[0], replication: $0.replies[1], from: $0.node, map: map)
                }
            } catch {
                guard round > 0 else { throw error }
            }
            news = Set(words.flatMap(\.mentions)).subtracting(asked)
        }
        return group.withLock { [words] in $0.look(words) }
    }
}

/// What one server says of itself and of those it replicates with.
package struct ReplicationWord: Sendable {
    var address: NodeAddress
    var runID: String?
    var role: Topology.Role
    /// Whom it replicates.
    var master: NodeAddress?
    /// Its replicas.
    var replicas: [NodeAddress] = []
    /// The replication history that it continues.
    var history: String?

    package init(address: NodeAddress, runID: String?, role: Topology.Role, master: NodeAddress? = nil) {
        self.address = address
        self.runID = runID
        self.role = role
        self.master = master
    }

    init(server: RESPValue, replication: RESPValue, from address: NodeAddress, map: AddressMap) {
        let fields = infoFields(replication)
        let runID = infoField("run_id", in: server).flatMap { $0.isEmpty ? nil : $0 }
        self.init(address: address, runID: runID, role: fields["role"] == "master" ? .master : .replica)
        history = fields["master_replid"]
        if role == .replica, let master = NodeAddress(announced: fields["master_host"], port: fields["master_port"]) {
            self.master = map(master)
        }
        var index = 0
        while let text = fields["slave\(index)"] {
            index += 1
            let parts = Dictionary(
                text.split(separator: ",").compactMap { part -> (String, String)? in
                    let pair = part.split(separator: "=", maxSplits: 1)
                    return pair.count == 2 ? (String(pair[0]), String(pair[1])) : nil
                }, uniquingKeysWith: { first, _ in first })
            if let replica = NodeAddress(announced: parts["ip"], port: parts["port"]) {
                replicas.append(map(replica))
            }
        }
    }

    /// Other servers that it names.
    var mentions: [NodeAddress] { replicas + (master.map { [$0] } ?? []) }
}
