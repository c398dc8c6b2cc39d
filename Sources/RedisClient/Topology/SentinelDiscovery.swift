import RESP
import Synchronization

/// Looks at a Sentinel group: the sentinels name the master and its replicas; of differing answers the
/// latest configuration epoch counts. Where no Sentinel answers, what the servers say of themselves may
/// do (``OwnWords``).
final class SentinelDiscovery: Discovery {
    /// What one Sentinel says of the master.
    private struct View {
        let sentinel: NodeAddress
        let master: NodeAddress
        let epoch: UInt64
    }

    /// What the Sentinels say.
    private struct Answer {
        let epoch: UInt64
        let named: NodeAddress
        /// While they make another master, some name the former one at the epoch of its successor.
        let candidates: [NodeAddress]
        let replicas: [NodeAddress]
    }

    private let sentinels: [NodeAddress]
    private let masterName: String
    private let sentinelNodes: NodeDirectory
    private let nodes: NodeDirectory
    private let map: AddressMap
    /// What answers name is asked: not more than a group may have.
    private static let most = 64
    /// Sentinels that those in reach named last: they are asked when none of the listed ones answers.
    private let others = Mutex<[NodeAddress]>([])

    init(
        sentinels: [NodeAddress], masterName: String, sentinelNodes: NodeDirectory, nodes: NodeDirectory,
        map: AddressMap
    ) {
        self.sentinels = sentinels
        self.masterName = masterName
        self.sentinelNodes = sentinelNodes
        self.nodes = nodes
        self.map = map
    }

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        let answer: Answer
        do throws(RedisError) {
            answer = try await askSentinels(known)
        } catch {
            guard let known else { throw error }
            return try await askServers(known, doubts, because: error)
        }
        return try await poll(answer, known, doubts)
    }

    // MARK: - The Sentinels

    private func askSentinels(_ known: Topology?) async throws(RedisError) -> Answer {
        let views = try await views(known)
        guard let latest = views.max(by: { $0.epoch < $1.epoch }) else {
            throw RedisError(.noNode, node: sentinels.first, "the Sentinel knows no master named '\(masterName)'")
        }
        let replies = try await sentinelNodes[latest.sentinel].send(
            [RESPCommand("SENTINEL", "REPLICAS", masterName), RESPCommand("SENTINEL", "SENTINELS", masterName)],
            timeout: patience(known))
        guard replies.count == 2 else {
            throw RedisError(.protocolViolation, node: latest.sentinel, "a reply is missing")
        }
        if let error = replies[0].error { throw RedisError(error, node: latest.sentinel) }
        // A user may lack the right to ask for them: then the listed ones are all that there are.
        let named = addresses(replies[1])
        if !named.isEmpty {
            let unlisted = Set(named + [latest.sentinel]).subtracting(sentinels)
            others.withLock { $0 = Array(unlisted.sorted().prefix(Self.most)) }
        }
        return Answer(
            epoch: latest.epoch, named: latest.master,
            candidates: views.filter { $0.epoch == latest.epoch }.map(\.master), replicas: addresses(replies[0]))
    }

    private func views(_ known: Topology?) async throws(RedisError) -> [View] {
        do throws(RedisError) {
            return try await views(of: sentinels, known)
        } catch {
            let others = others.withLock { $0 }
            guard !others.isEmpty, let views = try? await views(of: others, known) else { throw error }
            return views
        }
    }

    private func views(of sentinels: [NodeAddress], _ known: Topology?) async throws(RedisError) -> [View] {
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
        return answers.compactMap { sentinel, value in
            let fields = Self.fields(value)
            guard let address = Self.address(fields) else { return nil }
            return View(
                sentinel: sentinel, master: map(address), epoch: PlausibleCount.read(fields["config-epoch"] ?? "") ?? 0)
        }
    }

    // MARK: - The servers

    private func poll(
        _ answer: Answer, _ known: Topology?, _ doubts: Set<NodeAddress>
    ) async throws(RedisError) -> TopologyPoll {
        let found = Set(answer.candidates + answer.replicas)
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
        let master = Self.master(of: answer.candidates, ownWord) ?? answer.named
        // What only a doubt names is no member, and gives no member another name.
        for address in doubts where !found.contains(address) { processes.runIDs[address] = nil }
        let aliases = processes.aliases(known: known, order: [master])
        let leader = aliases[master] ?? master
        let list = Set(found.map { aliases[$0] ?? $0 }).map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == leader ? .master : .replica)
            // Every promotion has one of its own.
            node.configEpoch = answer.epoch
            node.runID = processes.runIDs[address] ?? known?.node(at: address)?.runID
            node.isFailing = ownWord[address] == nil
            node.masterID = address == leader ? nil : leader.description
            return node
        }
        return TopologyPoll(topology: Topology(mode: .sentinel, nodes: list, aliases: aliases), ownWord: ownWord)
    }

    /// What the servers say of themselves, if it is beyond doubt; else this look has failed.
    private func askServers(
        _ known: Topology, _ doubts: Set<NodeAddress>, because trouble: RedisError
    ) async throws(RedisError) -> TopologyPoll {
        let trouble = RedisError(.noNode, node: nil, "no Sentinel tells the master (\(trouble))")
        var asked: Set<NodeAddress> = []
        var news = Set(known.nodes.map(\.address)).union(known.aliases.keys).union(doubts)
        var words: [ReplicationWord] = []
        // Servers that only these name are asked, too: one of them may be a master by now.
        for _ in 0..<3 where !news.isEmpty {
            asked.formUnion(news)
            guard asked.count <= Self.most else {
                throw RedisError(.noNode, node: nil, "\(trouble.text), and the servers name too many others")
            }
            let answers = try? await askAll(news.sorted(), nodes, Self.questions, timeout: .seconds(1))
            words += (answers ?? []).map {
                ReplicationWord(server: $0.replies[0], replication: $0.replies[1], from: $0.node, map: map)
            }
            news = Set(words.flatMap(\.mentions)).subtracting(asked)
        }
        let own = OwnWords(words, known: known)
        switch own.judgement {
        case .doubt(let reason):
            throw RedisError(.noNode, node: nil, "\(trouble.text), and \(reason)")
        case .master(let master):
            return TopologyPoll(topology: own.view(master: master), ownWord: own.roles, trouble: trouble)
        }
    }

    /// Of those named at one epoch the one that says itself that it is the master, else the one that most
    /// Sentinels name.
    static func master(of candidates: [NodeAddress], _ ownWord: [NodeAddress: Topology.Role]) -> NodeAddress? {
        let masters = candidates.filter { ownWord[$0] == .master }
        let named = Dictionary(grouping: masters.isEmpty ? candidates : masters) { $0 }
        return named.keys.sorted().max { named[$0, default: []].count < named[$1, default: []].count }
    }
    private static let questions = [RESPCommand("INFO", "server"), RESPCommand("INFO", "replication")]

    // MARK: - Replies

    private func addresses(_ list: RESPValue) -> [NodeAddress] {
        (list.array ?? []).compactMap { Self.address(Self.fields($0)) }.map { map($0) }
    }

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
