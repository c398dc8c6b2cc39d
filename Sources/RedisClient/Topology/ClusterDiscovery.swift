import RESP

/// Looks at a cluster by asking a few masters for `CLUSTER NODES`, in turn; the cost grows with the cluster, not its square.
struct ClusterDiscovery: Discovery {
    let seeds: [NodeAddress]
    let nodes: NodeDirectory
    let map: AddressMap
    let useHostNames: Bool
    private static let sample = 3

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        var asked = Set(sample(known, turn: turn, majority: !doubts.isEmpty)).union(doubts)
        if asked.isEmpty { asked = Set(seeds) }
        do throws(RedisError) {
            return try await ask(asked, patience(known))
        } catch {
            let everyone = Set(seeds).union(known?.nodes.map(\.address) ?? []).subtracting(asked)
            guard !everyone.isEmpty else { throw error }
            do throws(RedisError) {
                return try await ask(everyone, patience(known))
            } catch let second {
                throw error.isPermanent ? error : second
            }
        }
    }

    private func sample(_ known: Topology?, turn: Int, majority: Bool) -> [NodeAddress] {
        guard let known else { return [] }
        let masters = known.masters.filter { !$0.isFailing }.map(\.address)
        guard !masters.isEmpty else { return [] }
        let count = min(masters.count, majority ? max(Self.sample, masters.count / 2 + 1) : Self.sample)
        return (0..<count).map { masters[(turn * count + $0) % masters.count] }
    }

    private func ask(_ asked: Set<NodeAddress>, _ timeout: Duration?) async throws(RedisError) -> TopologyPoll {
        let replies = try await askAll(
            asked.sorted(), nodes, RESPCommand("CLUSTER", "NODES"), timeout: timeout)
        var ownWord: [NodeAddress: Topology.Role] = [:]
        let answers = replies.map { address, value in
            let answer = ClusterNodes(value.string ?? "", asked: address)
            if let myself = answer.myself { ownWord[address] = myself.role }
            return answer
        }
        let topology = ClusterNodes.merge(answers, map: map, useHostNames: useHostNames)
        guard !topology.nodes.isEmpty else {
            throw RedisError(.protocolViolation, node: replies.first?.0, "CLUSTER NODES names no node")
        }
        return TopologyPoll(topology: topology, ownWord: ownWord)
    }
}
