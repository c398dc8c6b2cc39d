/// What the servers of a Sentinel group say of themselves, judged while no Sentinel answers.
///
/// It is believed only where every known server agrees. A promoted server that is out of reach would
/// announce the same as the former master, so one that does not answer is a doubt; and the former
/// master has to say itself that it is none any more.
package struct OwnWords {
    /// What they come to.
    package enum Judgement: Equatable {
        /// The one that calls itself the master, while all others call themselves replicas.
        case master(NodeAddress)
        /// Why nothing follows from them.
        case doubt(String)
    }

    private let known: Topology
    private let words: [ReplicationWord]
    /// Of each address that leads to another one's process, that one.
    private let aliases: [NodeAddress: NodeAddress]

    package init(_ words: [ReplicationWord], known: Topology) {
        self.words = words
        self.known = known
        var processes = ServerProcesses()
        for word in words { processes.runIDs[word.address] = word.runID }
        aliases = processes.aliases(known: known, order: known.masters.map(\.address))
    }

    private func main(_ address: NodeAddress) -> NodeAddress {
        aliases[address] ?? known.canonicalAddress(of: address)
    }

    /// Servers that have to answer: the known ones, and those that any of them names.
    private var members: Set<NodeAddress> {
        Set((known.nodes.map(\.address) + words.flatMap(\.mentions)).map(main))
    }

    package var judgement: Judgement {
        let spoken = Dictionary(words.map { (main($0.address), $0) }, uniquingKeysWith: { first, _ in first })
        if let silent = members.subtracting(spoken.keys).min() {
            return .doubt("\(silent) does not answer, and may have been promoted")
        }
        let masters = spoken.filter { $0.value.role == .master }
        guard let (address, word) = masters.first else { return .doubt("no server calls itself the master") }
        guard masters.count == 1 else {
            return .doubt(
                "\(masters.keys.sorted().map(\.description).joined(separator: " and ")) call themselves master")
        }
        guard isKnown(word, at: address) || spoken.values.contains(where: { vouches($0, for: word, at: address) })
        else { return .doubt("another process than before answers at \(address)") }
        return .master(address)
    }

    private func isKnown(_ word: ReplicationWord, at address: NodeAddress) -> Bool {
        word.runID != nil && word.runID == known.node(at: address)?.runID
    }

    /// A known replica has the new process' data from it: a server that has only taken the address over
    /// has another history.
    private func vouches(_ replica: ReplicationWord, for master: ReplicationWord, at address: NodeAddress) -> Bool {
        replica.role == .replica && isKnown(replica, at: main(replica.address))
            && replica.master.map(main) == address && master.history != nil && replica.history == master.history
    }

    /// The view with this master. A promotion that no Sentinel has told of gets the epoch after the known
    /// one, as Sentinels would give it.
    package func view(master: NodeAddress) -> Topology {
        let runIDs = Dictionary(
            words.compactMap { word in word.runID.map { (main(word.address), $0) } },
            uniquingKeysWith: { first, _ in first })
        let epoch = known.nodes.map(\.configEpoch).max() ?? 0
        let isNew = !known.masters.contains { $0.address == master }
        let nodes = members.map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == master ? .master : .replica,
                masterID: address == master ? nil : master.description, configEpoch: isNew ? epoch + 1 : epoch)
            node.runID = runIDs[address]
            return node
        }
        return Topology(mode: .sentinel, nodes: nodes, aliases: aliases)
    }

    /// The role that each server says it has.
    package var roles: [NodeAddress: Topology.Role] {
        Dictionary(words.map { ($0.address, $0.role) }, uniquingKeysWith: { first, _ in first })
    }
}
