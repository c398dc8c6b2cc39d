import RESP
import Synchronization

/// Looks at a cluster by asking a few masters for `CLUSTER NODES`, in turn; the cost grows with the cluster, not its square.
final class ClusterDiscovery: Discovery {
    /// What all who were asked last agreed upon: while they go on saying it, there is nothing to be read.
    private struct Agreed {
        let table: ClusterTable
        let topology: Topology
    }

    private let seeds: [NodeAddress]
    private let nodes: NodeDirectory
    private let map: AddressMap
    private let useHostNames: Bool
    private let agreed = Mutex<Agreed?>(nil)
    private static let sample = 3

    init(seeds: [NodeAddress], nodes: NodeDirectory, map: AddressMap, useHostNames: Bool) {
        self.seeds = seeds
        self.nodes = nodes
        self.map = map
        self.useHostNames = useHostNames
    }

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
        let tables = replies.map { ($0, ClusterTable($1)) }
        if let known = agreed.withLock({ $0 }), tables.allSatisfy({ $1.saysTheSame(as: known.table) }) {
            let ownWord = tables.compactMap { address, table in table.ownRole.map { (address, $0) } }
            return TopologyPoll(
                topology: known.topology, ownWord: Dictionary(ownWord, uniquingKeysWith: { first, _ in first }))
        }
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
        let first = tables[0].1
        let isAgreed = first.namesEveryHost && tables.allSatisfy { $1.saysTheSame(as: first) }
        agreed.withLock { $0 = isAgreed ? Agreed(table: first, topology: topology) : nil }
        return TopologyPoll(topology: topology, ownWord: ownWord)
    }
}
