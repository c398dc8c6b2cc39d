import RESP
import Synchronization

/// Looks at a cluster by asking a few masters for `CLUSTER NODES`, in turn; the cost grows with the
/// cluster, not its square.
final class ClusterDiscovery: Discovery {
    /// The answer that all masters asked last agreed upon: while it stays the same, nothing has to be read.
    private struct Agreed {
        let table: ClusterTable
        let topology: Topology
    }

    private let seeds: [NodeAddress]
    private let nodes: NodeDirectory
    private let map: AddressMap
    private let useHostNames: Bool
    private let agreed = Mutex<Agreed?>(nil)
    private let former = Mutex(FormerAddresses())
    private let moved = Mutex(MovedNodes())
    private static let sample = 3

    init(seeds: [NodeAddress], nodes: NodeDirectory, map: AddressMap, useHostNames: Bool) {
        self.seeds = seeds
        self.nodes = nodes
        self.map = map
        self.useHostNames = useHostNames
    }

    func look(known: Topology?, doubts: Set<NodeAddress>, turn: Int) async throws(RedisError) -> TopologyPoll {
        guard let known else { return try await lookFirst(turn: turn) }
        // Beside the look, which an address that is given up must not hold up for long.
        async let answers = askFormer()
        async let whoMoved = askMoved()
        var poll = try await lookAgain(known, doubts, turn: turn)
        let (found, answered) = await (answers, whoMoved)
        former.withLock { former in
            poll.outsiders += found.compactMap { former.answered($0.address, id: $0.id) }
            former.note(known, poll.topology)
        }
        let aliases = moved.withLock { moved in
            for (address, answer) in answered { moved.answered(address, answer) }
            moved.note(known, poll.topology)
            return moved.aliases
        }
        poll.topology = poll.topology.reached(by: aliases)
        return poll
    }

    private func lookAgain(
        _ known: Topology, _ doubts: Set<NodeAddress>, turn: Int
    ) async throws(RedisError) -> TopologyPoll {
        var asked = Set(sample(known, turn: turn, majority: !doubts.isEmpty)).union(doubts)
        if asked.isEmpty { asked = Set(seeds) }
        do throws(RedisError) {
            return try await ask(asked, known)
        } catch {
            let everyone = Set(seeds).union(known.nodes.map(\.address) + known.aliases.keys).subtracting(asked)
            guard !everyone.isEmpty else { throw error }
            do throws(RedisError) {
                return try await ask(everyone, known)
            } catch let second {
                throw error.isPermanent ? error : second
            }
        }
    }

    /// The nodes that answer at addresses that have left the view.
    private func askFormer() async -> [(address: NodeAddress, id: String)] {
        let addresses = former.withLock { $0.addresses }
        guard !addresses.isEmpty,
            let replies = try? await askAll(
                // What the looks ask too: a user needs no right beside theirs.
                addresses.sorted(), nodes, RESPCommand("CLUSTER", "NODES"), timeout: .milliseconds(250))
        else { return [] }
        return replies.map { ($0, ClusterNodes($1.string ?? "", asked: $0).myself?.id ?? "unknown") }
    }

    /// Who answers at the addresses by which nodes were known before.
    private func askMoved() async -> [(NodeAddress, MovedNodes.Answer)] {
        let questions = moved.withLock { $0.questions }
        return await withTaskGroup(of: (NodeAddress, MovedNodes.Answer).self) { group in
            for question in questions {
                // Together, so that one that is dead holds up no other; the group awaits them.
                group.addTask {
                    let identity = ServerIdentity.clusterNode(question.id)
                    async let home = self.answers(question.home, as: identity)
                    switch await self.answers(question.former, as: identity) {
                    case true?: return (question.former, .same)
                    case false?: return (question.former, .other)
                    case nil: return (question.former, .none(isHome: await home == true))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Whether this server answers at an address; nil when none does. Who it is, is asked once for each
    /// connection.
    private func answers(_ address: NodeAddress, as identity: ServerIdentity) async -> Bool? {
        do throws(RedisError) {
            _ = try await nodes[address].send([RESPCommand("PING")], to: identity, timeout: .milliseconds(250))
            return true
        } catch {
            return error.kind == .otherServer ? false : nil
        }
    }

    /// One server's word on itself is not enough: those that it names are asked at once.
    private func lookFirst(turn: Int) async throws(RedisError) -> TopologyPoll {
        let first = try await ask(Set(seeds), nil)
        let named = Set(sample(first.topology, turn: turn, majority: false)).subtracting(seeds)
        guard !named.isEmpty else { return first }
        do throws(RedisError) {
            var second = try await ask(named.union(first.ownWord.keys), first.topology)
            second.outsiders += first.outsiders
            return second
        } catch {
            return first
        }
    }

    /// Masters in turn; where there are few, replicas with them, so that each node is spoken of by another.
    private func sample(_ known: Topology, turn: Int, majority: Bool) -> [NodeAddress] {
        let well = known.nodes.filter { !$0.isFailing }
        let masters = known.masters.filter { !$0.isFailing }.map(\.address)
        let replicas = well.map(\.address).filter { !masters.contains($0) }
        let count = min(masters.count, majority ? max(Self.sample, masters.count / 2 + 1) : Self.sample)
        let chosen = (0..<count).map { masters[(turn * count + $0) % masters.count] }
        return chosen + replicas.prefix(max(0, Self.sample - count))
    }

    private func ask(_ asked: Set<NodeAddress>, _ known: Topology?) async throws(RedisError) -> TopologyPoll {
        let replies = try await askAll(
            asked.sorted(), nodes, RESPCommand("CLUSTER", "NODES"), timeout: patience(known))
        let tables = replies.map { ($0, ClusterTable($1)) }
        if known != nil, let last = agreed.withLock({ $0 }), tables.allSatisfy({ $1.saysTheSame(as: last.table) }) {
            let ownWord = tables.compactMap { address, table in
                Self.isMeant(table.ownID, at: address, last.topology, known)
                    ? table.ownRole.map { (address, $0) } : nil
            }
            return TopologyPoll(
                topology: last.topology, ownWord: Dictionary(ownWord, uniquingKeysWith: { first, _ in first }))
        }
        let membership = ClusterMembership(
            replies.map { .init(asked: $0, nodes: ClusterNodes($1.string ?? "", asked: $0)) }, known: known,
            order: seeds)
        guard !membership.members.isEmpty else {
            let outsider = membership.outsiders.first
            throw RedisError(
                .otherServer, node: outsider?.address ?? replies.first?.0,
                "no member of the cluster answers: here it is \(outsider?.id ?? "no node")"
                    + (outsider?.expected.map { " instead of \($0)" } ?? "")
                    + "; if the cluster was made anew, restart lapse")
        }
        let topology = ClusterNodes.merge(
            membership.members.map(\.nodes), map: map, useHostNames: useHostNames, known: known)
        guard !topology.nodes.isEmpty else {
            throw RedisError(.protocolViolation, node: replies.first?.0, "CLUSTER NODES names no node")
        }
        var ownWord: [NodeAddress: Topology.Role] = [:]
        for member in membership.members
        where Self.isMeant(member.nodes.myself?.id, at: member.asked, topology, known) {
            ownWord[member.asked] = member.nodes.myself?.role
        }
        let first = tables[0].1
        let isAgreed = first.namesEveryHost && tables.allSatisfy { $1.saysTheSame(as: first) }
        agreed.withLock {
            $0 = isAgreed && membership.outsiders.isEmpty ? Agreed(table: first, topology: topology) : nil
        }
        return TopologyPoll(topology: topology, ownWord: ownWord, outsiders: membership.outsiders)
    }

    /// Whether a node's word counts as that of the address: no other node is meant there.
    private static func isMeant(
        _ id: String?, at address: NodeAddress, _ topology: Topology, _ known: Topology?
    ) -> Bool {
        (topology.node(at: address) ?? known?.node(at: address)).map { $0.id == id } ?? true
    }
}
