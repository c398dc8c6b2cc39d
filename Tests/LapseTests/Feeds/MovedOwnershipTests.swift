import Testing

@testable import Lapse
@testable import RedisClient

/// Row 60: whose announcements count while nodes get other addresses.
struct MovedOwnershipTests {
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "redis-1", port: 6379)
    private let other = NodeAddress(host: "10.0.0.2", port: 6379)
    private var ownership = SlotOwnership()

    /// Node x is at `address`, and `owner` has every slot.
    private func poll(
        _ number: Int, x address: NodeAddress, y: NodeAddress? = nil, owner: String = "x",
        aliases: [NodeAddress: NodeAddress] = [:], heard: [NodeAddress] = []
    ) -> TopologyPoll {
        let nodes = [("x", address), ("y", y ?? other)].map { id, address in
            Topology.Node(id: id, address: address, role: id == owner ? .master : .replica)
        }
        let owners = [String?](repeating: owner, count: Topology.slotCount)
        let topology = Topology(cluster: nodes, owner: owners).reached(by: aliases)
        let words = heard.map { ($0, topology.node(at: $0)?.id == owner ? Topology.Role.master : .replica) }
        return TopologyPoll(
            topology: topology, ownWord: Dictionary(uniqueKeysWithValues: words), number: number)
    }

    @Test mutating func whatIsHeardAtTheFormerAddressCountsAtOnce() {
        ownership.note(poll(1, x: old))
        ownership.note(poll(2, x: new, aliases: [old: new]))
        for address in [old, new] {
            #expect(ownership.verdict(slot: 5, at: address, .trusted(look: 3)) == .counts)
            #expect(ownership.verdict(slot: 5, at: address, .told(look: 3)) == .counts)
        }
        #expect(ownership.home(of: old) == new)
    }

    @Test mutating func anOwnerIsTheSameUnderItsNewAddress() {
        ownership.note(poll(1, x: old))
        ownership.note(poll(5, x: new, aliases: [old: new], heard: [old]))
        // It agreed in look 3, and has owned the slot since look 1.
        #expect(ownership.verdict(slot: 5, at: new, .decided(look: 3)) == .counts)
        #expect(ownership.verdict(slot: 5, at: other, .decided(look: 3)) == .ignored)
    }

    @Test mutating func whatANodeLostBeforeIsKnownAtItsNewAddress() {
        ownership.note(poll(1, x: old))
        ownership.note(poll(4, x: old, owner: "y"))
        ownership.note(poll(6, x: new, owner: "y"))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 3)) == .counts)
        #expect(ownership.verdict(slot: 5, at: new, .abandoned(look: 5)) == .ignored)
    }

    @Test mutating func aNodeThatLosesItsSlotsAsItMovesLosesThemThere() {
        ownership.note(poll(1, x: old))
        ownership.note(poll(4, x: new, owner: "y"))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 3)) == .counts)
        #expect(ownership.verdict(slot: 5, at: new, .abandoned(look: 3)) == .counts)
    }

    @Test mutating func nodesThatSwapTheirAddressesKeepWhatTheyLost() {
        ownership.note(poll(1, x: old))
        ownership.note(poll(4, x: old, owner: "y"))
        ownership.note(poll(6, x: other, y: old, owner: "y"))
        #expect(ownership.verdict(slot: 5, at: other, .trusted(look: 3)) == .counts, "x, which is there now")
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 6)) == .counts, "y, the owner")
    }

    @Test func aNodeAnswersForItsFormerAddress() {
        let poll = poll(2, x: new, aliases: [old: new], heard: [old])
        #expect(poll.settles(old))
        #expect(poll.topology.identity(at: old) == .clusterNode("x"))
    }
}
