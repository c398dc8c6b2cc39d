import RedisClient

/// Since when each slot has had its owner, and until when each node had those that it lost: as looks at
/// the topology showed it.
///
/// A slot costs a node four bytes once it has lost any, however often slots move, and nothing is ever
/// forgotten while it may be asked for. Where one master owns everything there is one slot, number 0.
struct SlotHistory: Sendable {
    private(set) var topology: Topology?
    /// The first look that showed the present owner of each slot; at its present configuration epoch.
    private(set) var ownedSince: [Int32] = []
    private(set) var steadySince: [Int32] = []
    /// For each node that lost slots, the first look that no longer showed each with it.
    private(set) var lost: [NodeAddress: [Int32]] = [:]
    /// The first look that showed each node in its present role and configuration epoch.
    private(set) var asItIsSince: [NodeAddress: Int] = [:]

    static let never: Int32 = -1

    mutating func note(_ new: Topology, look: Int) {
        let old = topology
        guard old.map({ !$0.isSame(as: new) }) ?? true else { return }
        topology = new
        let look = Int32(clamping: look)
        noteNodes(old, new, look)
        if let old { follow(old, new) }
        let (before, now) = (old?.slots, new.slots)
        guard let old, let before, before.count == now.count else {
            ownedSince = [Int32](repeating: look, count: now.count)
            steadySince = ownedSince
            return
        }
        let places = Dictionary(new.nodes.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let fate = old.nodes.map { node -> (place: Int?, isSteady: Bool) in
            let place = places[node.id]
            return (place, place.map { new.nodes[$0].configEpoch == node.configEpoch } ?? false)
        }
        // Where it is now: what it lost is looked up there.
        func whereabouts(_ index: Int) -> NodeAddress {
            fate[index].place.map { new.nodes[$0].address } ?? old.nodes[index].address
        }
        for slot in before.indices {
            guard let owner = before[slot] else {
                if now[slot] != nil { (ownedSince[slot], steadySince[slot]) = (look, look) }
                continue
            }
            let isSame = fate[owner].place.map { $0 == now[slot] } ?? false
            if !isSame {
                ownedSince[slot] = look
                lose(slot, whereabouts(owner), look, before.count)
            }
            if !isSame || !fate[owner].isSteady { steadySince[slot] = look }
        }
        // A slot that is being imported is claimed too, as far as the node itself was asked.
        for (index, node) in old.nodes.enumerated() where !node.importing.isEmpty {
            let address = whereabouts(index)
            let claim = new.claim(of: address)
            for slot in node.importing where !claim.counts(slot) { lose(Int(slot), address, look, before.count) }
        }
    }

    /// Forgets the nodes of which nothing is kept any more.
    mutating func forget(where isGone: (NodeAddress) -> Bool) {
        lost = lost.filter { !isGone($0.key) }
    }

    private mutating func lose(_ slot: Int, _ node: NodeAddress, _ look: Int32, _ count: Int) {
        lost[node, default: [Int32](repeating: Self.never, count: count)][slot] = look
    }

    private mutating func noteNodes(_ old: Topology?, _ new: Topology, _ look: Int32) {
        var kept: [NodeAddress: Int] = [:]
        let former = Dictionary(old?.nodes.map { ($0.id, $0) } ?? [], uniquingKeysWith: { first, _ in first })
        for node in new.nodes {
            let before = former[node.id]
            let isSame = before.map { $0.role == node.role && $0.configEpoch == node.configEpoch } ?? false
            kept[node.address] = isSame ? before.flatMap { asItIsSince[$0.address] } ?? Int(look) : Int(look)
        }
        asItIsSince = kept
    }

    /// What nodes lost goes with them to their new addresses; a log that is still known by the former one
    /// finds it there too, unless another node has that.
    private mutating func follow(_ old: Topology, _ new: Topology) {
        let before = lost
        guard !before.isEmpty else { return }
        let former = Dictionary(old.nodes.map { ($0.id, $0.address) }, uniquingKeysWith: { first, _ in first })
        for node in new.nodes {
            guard let address = former[node.id], address != node.address else { continue }
            lost[node.address] = before[address] ?? (old.node(at: node.address) == nil ? before[node.address] : nil)
        }
    }
}
