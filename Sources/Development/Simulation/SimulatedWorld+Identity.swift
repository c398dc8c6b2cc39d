import Lapse
import LeaderElection
import RedisClient

/// The servers' identities: an address is only where one was last seen. Which of them belong to the
/// deployment, and which addresses lead to one process, the product's own rules tell.
extension SimulatedWorld {
    /// What a look finds now; nil when no server of the deployment answers.
    func poll(_ replica: Replica, number: Int) -> TopologyPoll? {
        if defect != .addressBelieved {
            if conditions.hasAlias { return pollOfGroup(replica, number) }
            if judges(.foreignNode) { return pollOfCluster(replica, number) }
        }
        if judges(.noSentinels) { return pollOfPair(replica, number) }
        var own: [NodeAddress: Topology.Role] = [:]
        for node in nodes where node.answers(now) { own[node.address] = node.believesMaster ? .master : .replica }
        if conditions.hasAlias { own[SimulatedTopology.address(1)] = own[nodes[0].address] }
        if defect == .ownWordFromView {
            for node in view().nodes where own[node.address] != nil { own[node.address] = node.role }
        }
        return TopologyPoll(topology: view(), ownWord: own, number: number)
    }

    /// A master and its replica, with Sentinels or without: what their own words come to the product's rule
    /// tells.
    private func pollOfPair(_ replica: Replica, _ number: Int) -> TopologyPoll? {
        let answering = nodes.filter { $0.answers(now) }
        let words = answering.map { node in
            ReplicationWord(
                address: node.address, runID: node.process.runID, role: node.believesMaster ? .master : .replica,
                master: node.believesMaster ? nil : nodes[shards[0].master].address)
        }
        let roles = Dictionary(
            answering.map { ($0.address, $0.believesMaster ? Topology.Role.master : .replica) },
            uniquingKeysWith: { first, _ in first })
        guard now < network.sentinelsAwayUntil, let known = replica.topology?.topology else {
            let named = view().nodes.map { node in
                var node = node
                node.runID = nodes.first { $0.address == node.address }?.process.runID
                node.configEpoch = shards[0].namedEpoch
                return node
            }
            return TopologyPoll(topology: Topology(mode: .sentinel, nodes: named), ownWord: roles, number: number)
        }
        switch defect {
        case .looksNeedSentinels: return nil
        case .lastViewStands: return TopologyPoll(topology: known, ownWord: roles, number: number)
        default: break
        }
        let own = OwnWords(words, known: known)
        guard case .master(let address) = own.judgement else { return nil }
        return TopologyPoll(topology: own.view(master: address), ownWord: own.roles, number: number)
    }

    /// One server, reached under two addresses; at times only one of them leads there.
    private func pollOfGroup(_ replica: Replica, _ number: Int) -> TopologyPoll? {
        guard nodes[0].answers(now) else { return nil }
        let silent = random.chance(30) ? random.pick(2) : nil
        let words = (0..<2).filter { $0 != silent }.map { index in
            ReplicationWord(
                address: SimulatedTopology.address(index), runID: nodes[0].process.runID,
                role: nodes[0].believesMaster ? .master : .replica)
        }
        var poll = replica.group.look(words)
        poll.number = number
        return poll
    }

    private func pollOfCluster(_ replica: Replica, _ number: Int) -> TopologyPoll? {
        let answers = nodes.filter { $0.answers(now) }.map { node in
            ClusterMembership.Answer(
                asked: node.address, nodes: ClusterNodes(SimulatedTopology.table(of: node), asked: node.address))
        }
        let members = ClusterMembership(
            answers, known: replica.topology?.topology, order: nodes.map(\.address)
        ).members
        guard !members.isEmpty else { return nil }
        let own = members.compactMap { member in member.nodes.myself.map { (member.asked, $0.role) } }
        return TopologyPoll(
            topology: view(), ownWord: Dictionary(own, uniquingKeysWith: { first, _ in first }), number: number)
    }

    /// Whether the server that answers at an address is the one that the replica's view means.
    func isMeant(_ node: SimulatedNode, at address: NodeAddress, by replica: Replica) -> Bool {
        guard defect != .addressBelieved, let topology = replica.topology?.topology, topology.mode == .cluster else {
            return true
        }
        return topology.identity(at: address) == .clusterNode(node.clusterID)
    }

    /// The server to which an address leads.
    func server(at address: NodeAddress) -> SimulatedNode? {
        nodes.first { $0.address == address } ?? (conditions.hasAlias ? nodes[0] : nil)
    }

    /// The server that a node's name means, by the name that it has in the account: a log may move to
    /// another address of it.
    func server(_ name: String) -> String { conditions.hasAlias ? "\(nodes[0].address)" : name }

    // MARK: - Feeds

    /// One feed for every node of the view, at whichever of its addresses it serves; one whose node is gone
    /// for ten seconds ends.
    func followView(_ replica: Replica) {
        guard replica.opensFeeds, let topology = replica.topology?.topology else { return }
        let present = topology.nodes.map { node in
            topology.addresses(of: node).first { address in
                replica.feeds.contains { $0.address == address && $0.connection != nil }
            } ?? node.address
        }
        for feed in replica.feeds {
            feed.absentSince = present.contains(feed.address) ? nil : feed.absentSince ?? now
            guard let since = feed.absentSince, now - since > .seconds(10) else { continue }
            feed.isGivenUp = true
            if let connection = feed.connection { close(feed, replica, connection) }
        }
        replica.feeds.removeAll(where: \.isGivenUp)
        for address in present where !replica.feeds.contains(where: { $0.address == address }) {
            guard let node = server(at: address) else { continue }
            let feed = Feed(node: node.index, address: address)
            replica.feeds.append(feed)
            connect(feed, replica)
        }
    }
}

extension SimulatedNode {
    /// By which the other nodes of its cluster know it.
    var clusterID: String { process.isForeign ? "foreign-\(index)" : "n\(index)" }
}

extension SimulatedTopology {
    /// What a node of a cluster answers to `CLUSTER NODES`: a foreign one knows itself alone.
    static func table(of node: SimulatedNode) -> String {
        func line(_ index: Int, _ id: String, _ flags: String, _ slots: String) -> String {
            "\(id) \(address(index))@16379 \(flags) - 0 0 1 connected \(slots)"
        }
        if node.process.isForeign {
            return line(node.index, node.clusterID, "myself,master", "0-\(Topology.slotCount - 1)")
        }
        return (0..<3).map { index in
            let third = Topology.slotCount / 3
            return line(
                index, "n\(index)", index == node.index ? "myself,master" : "master",
                "\(index * third)-\((index + 1) * third - 1)")
        }.joined(separator: "\n")
    }
}
