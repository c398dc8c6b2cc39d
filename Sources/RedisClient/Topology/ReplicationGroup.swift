/// Which servers belong to a single Redis, and which of them is the master, by what the servers say of
/// themselves.
///
/// Nothing stands above the servers: a replica that is taken out (`REPLICAOF NO ONE`) calls itself a
/// master like a promoted one. Therefore the present master stays as long as it calls itself one, and
/// for some looks after it has fallen silent.
package struct ReplicationGroup: Sendable {
    private let seeds: [NodeAddress]
    private var master: Topology.Node?
    /// The members of the last look, the master among them.
    private var members: Set<NodeAddress> = []
    private var processes: Set<String> = []
    private var last: Topology?
    private var silentLooks = 0
    /// How many looks the present master may leave unanswered before another that calls itself one takes
    /// its place.
    static let patience = 3

    package init(seeds: [NodeAddress]) { self.seeds = seeds }

    /// - Parameter words: of every server that answered.
    package mutating func look(_ words: [ReplicationWord]) -> TopologyPoll {
        var processes = ServerProcesses()
        for word in words { processes.runIDs[word.address] = word.runID }
        let aliases = processes.aliases(known: last, order: seeds)
        func main(_ address: NodeAddress) -> NodeAddress { aliases[address] ?? address }
        let servers = Dictionary(words.map { (main($0.address), $0) }, uniquingKeysWith: { first, _ in first })
        let chosen = choose(servers, main)
        let inside = chosen.map { group(around: $0, servers, main) } ?? Set(servers.keys)

        var roles: [NodeAddress: Topology.Role] = [:]
        for address in inside { roles[address] = .replica }
        for mentioned in inside.flatMap({ servers[$0]?.mentions ?? [] }).map(main) where servers[mentioned] == nil {
            roles[mentioned] = .replica
        }
        if let chosen { roles[chosen] = .master }
        let nodes = roles.map { address, role in
            var node = Topology.Node(id: address.description, address: address, role: role)
            node.runID = servers[address]?.runID ?? last?.node(at: address)?.runID
            node.isFailing = servers[address] == nil
            node.masterID = role == .master ? nil : chosen?.description
            return node
        }
        let outsiders = servers.filter { !inside.contains($0.key) }.map { address, word in
            Outsider(
                address: address, id: word.runID ?? "unknown",
                expected: last?.node(at: address)?.runID.flatMap { $0 == word.runID ? nil : $0 },
                reason: word.role == .master
                    ? "it is a master of its own, while \(chosen.map(\.description) ?? "") is the master here"
                    : "it replicates \(word.master.map(\.description) ?? "another server")")
        }
        let present = roles.keys.filter { main($0) == $0 }
        let topology = Topology(
            mode: .standalone, nodes: nodes, aliases: aliases.filter { roles[$0.value] != nil })
        remember(topology, members: Set(present))
        let ownWord = words.filter { roles[main($0.address)] != nil }.map { ($0.address, $0.role) }
        return TopologyPoll(
            topology: topology, ownWord: Dictionary(ownWord, uniquingKeysWith: { first, _ in first }),
            outsiders: outsiders.sorted { $0.address < $1.address })
    }

    private mutating func remember(_ topology: Topology, members: Set<NodeAddress>) {
        last = topology
        master = topology.masters.first
        self.members = members
        processes = Set(topology.nodes.compactMap(\.runID))
    }

    /// The master's address; nil when no server calls itself one and none was known.
    private mutating func choose(
        _ servers: [NodeAddress: ReplicationWord], _ main: (NodeAddress) -> NodeAddress
    ) -> NodeAddress? {
        guard let master else { return best(of: servers.filter { $0.value.role == .master }, servers, main) }
        // The process first, wherever it answers; then the one that answers at its address: it has restarted,
        // or the name moved.
        let same = servers.first { $0.value.runID != nil && $0.value.runID == master.runID }?.key
        if let same, servers[same]?.role == .master {
            silentLooks = 0
            return same
        }
        let here = main(master.address)
        if let word = servers[here] {
            silentLooks = 0
            if word.role == .master { return here }
        } else if same == nil {
            silentLooks += 1
            guard silentLooks >= Self.patience else { return here }
        }
        // Whom the former master follows counts first: it was taken down in favour of that one.
        let follows = (servers[here] ?? same.flatMap { servers[$0] })?.master.map(main)
        let claimants = servers.filter { $0.value.role == .master && isCandidate($0.key, $0.value) }
        if let follows, claimants[follows] != nil { return follows }
        return best(of: claimants, servers, main) ?? here
    }

    private func isCandidate(_ address: NodeAddress, _ word: ReplicationWord) -> Bool {
        seeds.contains(address) || members.contains(address) && word.runID.map { processes.contains($0) } ?? true
    }

    /// Of several the one with most replicas, then the earlier seed, then the first by address.
    private func best(
        of claimants: [NodeAddress: ReplicationWord], _ servers: [NodeAddress: ReplicationWord],
        _ main: (NodeAddress) -> NodeAddress
    ) -> NodeAddress? {
        func weight(_ address: NodeAddress) -> (Int, Int) {
            let followers = servers.values.count { $0.role == .replica && $0.master.map(main) == address }
            return (followers, -(seeds.firstIndex { main($0) == address } ?? seeds.count))
        }
        return claimants.keys.sorted(by: >).max { weight($0) < weight($1) }
    }

    /// The master and every server that replicates it, directly or by way of others.
    private func group(
        around master: NodeAddress, _ servers: [NodeAddress: ReplicationWord], _ main: (NodeAddress) -> NodeAddress
    ) -> Set<NodeAddress> {
        // While the master is silent, nothing tells a promoted replica from one that was taken out: it stays
        // for the time.
        var inside: Set<NodeAddress> =
            servers[master] == nil
            ? Set(servers.filter { $0.value.role == .master && isCandidate($0.key, $0.value) }.keys) : [master]
        let history = servers[master]?.history
        var listed = Set(servers[master]?.replicas.map(main) ?? [])
        while true {
            let more = servers.filter { address, word in
                guard !inside.contains(address), word.role == .replica else { return false }
                let follows = word.master.map(main)
                return follows == master || follows.map(inside.contains) ?? false || listed.contains(address)
                    || history != nil && word.history == history
            }
            guard !more.isEmpty else { return inside }
            for (address, word) in more {
                inside.insert(address)
                listed.formUnion(word.replicas.map(main))
            }
        }
    }
}
