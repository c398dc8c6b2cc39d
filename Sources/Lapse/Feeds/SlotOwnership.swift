package import RedisClient

/// Whether an expiration counts. A pure value; looks at the topology come in by ``note(_:)``.
///
/// It counts from the node that owned its slot, or was importing it, when it was announced. The view
/// may be ahead of that moment or behind it, so no single look decides: *ignored* needs proof, and
/// without it an entry *waits*, and its log with it, until the log's age; then it counts as lost. A
/// node *agreed* in a look if it answered, and its own word for its role was the view's.
///
/// | | heard | known of the node | verdict |
/// |---|---|---|---|
/// | 1 | any way | no look yet | waits |
/// | 2 | by a peer that could tell | | as the peer says |
/// | 3 | unbroken | owns the slot, or lost it in a look not before `since` | counts |
/// | 4 | unbroken | neither, and has not agreed since the entry was heard | waits |
/// | 5 | unbroken | neither, has agreed, and nothing was missed between looks | ignored |
/// | 6 | unbroken | neither, has agreed, but both epochs have changed | waits |
/// | 7 | by a peer that could not tell | owns the slot, or ever lost it | counts |
/// | 8 | by a peer that could not tell | neither, and has agreed since | ignored |
/// | 9 | after a silence | has not agreed since: it may be deposed without knowing | waits |
/// | 10 | after a silence | owned the slot in the look in which it agreed again | counts |
/// | 11 | after a silence | did not: its successor has announced the same | ignored |
/// | 12 | after a silence, then it died | lost it in a look before it spoke | ignored |
/// | 13 | after a silence, then it died | lost it later, or owns it still | counts |
///
/// - `since`: how many looks had begun when the last ping was sent that was answered before the entry,
///   which was announced later.
/// - 5, 6: nothing was missed if the slot's owner, or the node itself, has kept its configuration epoch
///   since before the entry: each promotion has an epoch of its own.
/// - 5: a master that goes on after its successor was seen, a forged message, or the copy that a
///   cluster carries to every node.
/// - A silence of the connection alone, while the node answers elsewhere, casts no doubt.
package struct SlotOwnership: Sendable {
    package enum Verdict: Sendable, Equatable {
        case counts
        /// Announced by a node that did not own the slot: a duplicate, or forged. There is proof.
        case ignored
        /// A later look will tell.
        case unknown
    }

    private var history = SlotHistory()
    /// The last look in which each node agreed.
    private var agreed: [NodeAddress: Int] = [:]
    private var lastLook = -1

    package init() {}

    package mutating func note(_ poll: TopologyPoll) {
        for address in poll.ownWord.keys where poll.settles(address) {
            agreed[address] = max(agreed[address, default: -1], poll.number)
        }
        // The news of a look may come twice, and an earlier one behind a later one.
        guard poll.number > lastLook else { return }
        lastLook = poll.number
        history.note(poll.topology, look: poll.number)
    }

    /// Forgets the nodes that are gone and of which nothing is kept.
    package mutating func forget(where isGone: (NodeAddress) -> Bool) {
        let topology = history.topology
        func isOver(_ address: NodeAddress) -> Bool { topology?.node(at: address) == nil && isGone(address) }
        agreed = agreed.filter { !isOver($0.key) }
        history.forget(where: isOver)
    }

    /// Whether slots matter at all: with one master the key need not be hashed.
    package var needsSlot: Bool { history.topology.map { $0.mode == .cluster } ?? true }

    /// The nodes that own slots, as last seen.
    var masters: [NodeAddress] { history.topology?.masters.map(\.address) ?? [] }

    /// The node's own address, of several that may lead to it.
    func home(of node: NodeAddress) -> NodeAddress { history.topology?.canonicalAddress(of: node) ?? node }

    package func verdict(slot: UInt16, at node: NodeAddress, _ provenance: ExpirationLog.Provenance) -> Verdict {
        seen(from: node).verdict(slot: slot, provenance)
    }

    /// What this says about one node: its address is looked up once for many expirations.
    package func seen(from node: NodeAddress) -> OfNode {
        // Several addresses may lead to it.
        let home = self.home(of: node)
        return OfNode(
            needsSlot: needsSlot, claim: history.topology?.claim(of: home), lost: history.lost[home],
            ownedSince: history.ownedSince, steadySince: history.steadySince,
            asItIsSince: history.asItIsSince[home] ?? .max,
            agreed: max(agreed[home, default: -1], agreed[node, default: -1]), lastLook: lastLook)
    }
}

extension SlotOwnership {
    /// What is known of one node.
    package struct OfNode: Sendable {
        package let needsSlot: Bool
        /// Nil before the first look.
        let claim: Topology.Claim?
        let lost: [Int32]?
        let ownedSince: [Int32]
        let steadySince: [Int32]
        let asItIsSince: Int
        let agreed: Int
        let lastLook: Int

        package func verdict(slot: UInt16, _ provenance: ExpirationLog.Provenance) -> Verdict {
            guard let claim else { return provenance.peersWord ?? .unknown }
            switch provenance {
            case .vouched: return .counts
            case .disowned: return .ignored
            case .trusted(let since, let look):
                if claim.counts(slot) || lost(slot) >= since { return .counts }
                return agreed >= look && isProven(slot, since) ? .ignored : .unknown
            case .told(let look):
                if claim.counts(slot) || lost(slot) >= 0 { return .counts }
                return agreed >= look ? .ignored : .unknown
            case .doubted: return .unknown
            case .decided(let look):
                return claim.counts(slot) && owned(slot) <= look || lost(slot) > look ? .counts : .ignored
            case .abandoned(let look):
                guard lastLook >= look else { return .unknown }
                return claim.counts(slot) || lost(slot) > look ? .counts : lost(slot) >= 0 ? .ignored : .unknown
            }
        }

        private func index(_ slot: UInt16) -> Int { needsSlot ? Int(slot) : 0 }

        /// The first look that no longer showed the slot with this node; negative if it never had it.
        private func lost(_ slot: UInt16) -> Int { lost.map { Int($0[index(slot)]) } ?? -1 }

        /// The first look that showed the slot with its present owner. One that is only imported may be older
        /// than any look.
        private func owned(_ slot: UInt16) -> Int {
            claim.map { $0.owns(slot) } ?? false ? Int(ownedSince[index(slot)]) : -1
        }

        /// Nothing can have been missed between two looks since before this one: every promotion has an epoch
        /// of its own.
        private func isProven(_ slot: UInt16, _ since: Int) -> Bool {
            steadySince[index(slot)] < since || asItIsSince < since
        }
    }
}

extension ExpirationLog.Provenance {
    /// What a peer has told, which needs no look.
    fileprivate var peersWord: SlotOwnership.Verdict? {
        switch self {
        case .vouched: .counts
        case .disowned: .ignored
        case .trusted, .doubted, .decided, .abandoned, .told: nil
        }
    }
}
