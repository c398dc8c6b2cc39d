package import RedisClient

/// Who owned which slot when, as far back as it matters, and what that says about an expiration.
///
/// An expiration counts only from the node that owns its slot, or is importing it, in the current configuration. A node that
/// answered its pings is believed for slots it owned lately: its last events may reach us behind the news of a move. One that was
/// silent is believed only after it has agreed with a majority about its role: a master that was frozen while its
/// replica took over emits its whole backlog again before it learns of it.
package struct Ownership: Sendable {
    package enum Verdict: Sendable, Equatable {
        case counts
        /// Announced by a node that does not own the slot: a duplicate, or forged.
        case ignored
        /// The next look will tell.
        case unknown
    }

    private struct Period: Sendable {
        var since: Int
        var topology: Topology
    }

    private var periods: [Period] = []
    private var answered: [NodeAddress: Int] = [:]
    private var lastLook = -1
    /// How many looks back a slot's former owner is believed, about a minute.
    fileprivate static let memory = 60

    package init() {}

    package mutating func note(_ poll: TopologyPoll) {
        lastLook = max(lastLook, poll.number)
        for address in poll.ownWord.keys { answered[address] = poll.number }
        if let last = periods.last, last.topology.isSame(as: poll.topology) { return }
        periods.append(Period(since: poll.number, topology: poll.topology))
        while periods.count > 1, periods[1].since < lastLook - Self.memory { periods.removeFirst() }
    }

    /// Whether slots matter at all: with one master the key need not be hashed.
    package var needsSlot: Bool { periods.last.map { $0.topology.mode == .cluster } ?? true }

    /// The nodes that own slots, as last seen.
    var masters: [NodeAddress] { periods.last?.topology.masters.map(\.address) ?? [] }

    package func verdict(slot: UInt16, at node: NodeAddress, _ provenance: ExpirationLog.Provenance) -> Verdict {
        seen(from: node).verdict(slot: slot, provenance)
    }

    /// What this says about one node: its address is looked up once for many expirations.
    package func seen(from node: NodeAddress) -> OfNode {
        OfNode(
            needsSlot: needsSlot,
            periods: periods.map { ($0.since, $0.topology.claim(of: node)) }, answered: answered[node, default: -1],
            lastLook: lastLook)
    }
}

extension Ownership {
    /// Who owned what, as far as it concerns one node.
    package struct OfNode: Sendable {
        package let needsSlot: Bool
        let periods: [(since: Int, claim: Topology.Claim)]
        let answered: Int
        let lastLook: Int

        package func verdict(slot: UInt16, _ provenance: ExpirationLog.Provenance) -> Verdict {
            switch provenance {
            case .doubted: return .unknown
            case .vouched: return .counts
            case .disowned: return .ignored
            case .decided(let look):
                let period = periods.last { $0.since <= look } ?? periods.first
                guard let period else { return .unknown }
                return period.claim.counts(slot) ? .counts : .ignored
            case .trusted(let look):
                for index in periods.indices.reversed() {
                    if periods[index].claim.counts(slot) { return .counts }
                    if periods[index].since < look - Ownership.memory { break }
                }
                // Not its owner as far as we know. A look that began later, and asked the node itself, decides.
                return answered >= look || lastLook >= look + 10 ? .ignored : .unknown
            }
        }
    }
}
