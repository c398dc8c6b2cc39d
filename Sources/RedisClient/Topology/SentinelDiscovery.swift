import RESP

/// Looks at a Sentinel group: the sentinels name the master and its replicas; of differing answers the
/// latest configuration epoch counts.
struct SentinelDiscovery: Discovery {
    let sentinels: [NodeAddress]
    let masterName: String
    let sentinelNodes: NodeDirectory
    let nodes: NodeDirectory
    let map: AddressMap

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        let answers: [(NodeAddress, RESPValue)]
        do throws(RedisError) {
            answers = try await askAll(
                sentinels, sentinelNodes, RESPCommand("SENTINEL", "MASTER", masterName), timeout: patience(known))
        } catch {
            guard case .reply(let reply) = error.kind, reply.text.contains("No such master") else { throw error }
            throw RedisError(
                .noNode, node: error.node,
                "the Sentinel knows no master named '\(masterName)': the name stands last, redis+sentinel://host/mymaster"
            )
        }
        let views = answers.compactMap { sentinel, value -> (NodeAddress, NodeAddress, UInt64)? in
            let fields = Self.fields(value)
            guard let address = Self.address(fields) else { return nil }
            return (sentinel, map(address), PlausibleCount.read(fields["config-epoch"] ?? "") ?? 0)
        }
        guard let latest = views.max(by: { $0.2 < $1.2 }) else {
            throw RedisError(.noNode, node: answers.first?.0, "the Sentinel knows no master named '\(masterName)'")
        }
        // While they make another master, some name the former one at the epoch of its successor.
        let candidates = views.filter { $0.2 == latest.2 }.map(\.1)
        var found = Set(candidates)
        let replicas = try await sentinelNodes[latest.0].send(
            RESPCommand("SENTINEL", "REPLICAS", masterName), timeout: patience(known))
        for replica in replicas.array ?? [] {
            if let address = Self.address(Self.fields(replica)) { found.insert(map(address)) }
        }
        var ownWord: [NodeAddress: Topology.Role] = [:]
        var processes = ServerProcesses()
        do throws(RedisError) {
            let answers = try await askAll(
                found.union(doubts).sorted(), nodes, Self.questions, timeout: patience(known))
            for (address, replies) in answers {
                processes.add(address, server: replies[0])
                ownWord[address] = infoField("role", in: replies[1]) == "master" ? .master : .replica
            }
        } catch {
            // The Sentinels' word suffices, unless at the start the servers do not let us in.
            if known == nil, error.isPermanent { throw error }
        }
        let master = Self.master(of: candidates, ownWord) ?? latest.1
        // What only a doubt names is no member, and gives no member another name.
        for address in doubts where !found.contains(address) { processes.runIDs[address] = nil }
        let aliases = processes.aliases(known: known, order: [master])
        let leader = aliases[master] ?? master
        let list = Set(found.map { aliases[$0] ?? $0 }).map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == leader ? .master : .replica)
            // Every promotion has one of its own.
            node.configEpoch = latest.2
            node.runID = processes.runIDs[address] ?? known?.node(at: address)?.runID
            node.isFailing = ownWord[address] == nil
            node.masterID = address == leader ? nil : leader.description
            return node
        }
        return TopologyPoll(topology: Topology(mode: .sentinel, nodes: list, aliases: aliases), ownWord: ownWord)
    }

    /// Of those named at one epoch the one that says itself that it is the master, else the one that most
    /// Sentinels name.
    static func master(of candidates: [NodeAddress], _ ownWord: [NodeAddress: Topology.Role]) -> NodeAddress? {
        let masters = candidates.filter { ownWord[$0] == .master }
        let named = Dictionary(grouping: masters.isEmpty ? candidates : masters) { $0 }
        return named.keys.sorted().max { named[$0, default: []].count < named[$1, default: []].count }
    }
    private static let questions = [RESPCommand("INFO", "server"), RESPCommand("INFO", "replication")]

    private static func fields(_ value: RESPValue) -> [String: String] {
        let flat = value.array ?? []
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: flat.count - 1, by: 2) {
            if let name = flat[index].string, let value = flat[index + 1].string { fields[name] = value }
        }
        return fields
    }

    private static func address(_ fields: [String: String]) -> NodeAddress? {
        NodeAddress(announced: fields["ip"], port: fields["port"])
    }
}
