import RESP

/// Looks at one Redis and its replicas by `INFO replication`.
struct StandaloneDiscovery: Discovery {
    let seeds: [NodeAddress]
    let nodes: NodeDirectory
    let map: AddressMap

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        var asked = Set(seeds).union(known?.nodes.map(\.address) ?? []).union(doubts)
        var found = Replication()
        // A seed may be a replica: its master, and that one's other replicas, are asked in a second round.
        for _ in 0..<2 {
            let answers = try await askAll(
                asked.sorted(), nodes, RESPCommand("INFO", "replication"), timeout: patience(known))
            for (address, value) in answers { found.add(infoFields(value), from: address, map: map) }
            let news = found.addresses.subtracting(asked)
            if news.isEmpty || found.master != nil { break }
            asked = news
        }
        return found.poll(mode: .standalone, masterID: found.master)
    }
}

/// What `INFO replication` of one or more nodes tells.
struct Replication {
    private var roles: [NodeAddress: Topology.Role] = [:]
    private var mentioned: [NodeAddress: Topology.Role] = [:]
    private var following: [NodeAddress: Int] = [:]

    var addresses: Set<NodeAddress> { Set(roles.keys).union(mentioned.keys) }

    /// The master: of several that claim it, the one with most replicas, then the first by address.
    var master: NodeAddress? {
        roles.filter { $0.value == .master }.keys.sorted()
            .max { following[$0, default: 0] < following[$1, default: 0] }
    }

    mutating func add(_ fields: [String: String], from address: NodeAddress, map: AddressMap) {
        let isMaster = fields["role"] == "master"
        roles[address] = isMaster ? .master : .replica
        if !isMaster, let master = NodeAddress(announced: fields["master_host"], port: fields["master_port"]) {
            mentioned[map(master)] = .master
        }
        following[address] = Int(fields["connected_slaves"] ?? "") ?? 0
        var index = 0
        while let text = fields["slave\(index)"] {
            index += 1
            let parts = Dictionary(
                text.split(separator: ",").compactMap { part -> (String, String)? in
                    let pair = part.split(separator: "=", maxSplits: 1)
                    return pair.count == 2 ? (String(pair[0]), String(pair[1])) : nil
                }, uniquingKeysWith: { first, _ in first })
            if let replica = NodeAddress(announced: parts["ip"], port: parts["port"]) {
                mentioned[map(replica)] = .replica
            }
        }
    }

    func poll(mode: Topology.Mode, masterID: NodeAddress?) -> TopologyPoll {
        let nodes = addresses.map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == masterID ? .master : .replica)
            node.isFailing = roles[address] == nil
            node.masterID = address == masterID ? nil : masterID?.description
            return node
        }
        return TopologyPoll(topology: Topology(mode: mode, nodes: nodes), ownWord: roles)
    }
}
