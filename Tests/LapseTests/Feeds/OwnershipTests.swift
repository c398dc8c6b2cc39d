import Testing

@testable import Lapse
@testable import RedisClient

/// Whose announcements count: fault 48 above all.
struct OwnershipTests {
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "10.0.0.2", port: 6379)
    private let stranger = NodeAddress(host: "10.0.0.3", port: 6379)

    /// `owner` has every slot; `importer` is importing slot 7.
    private func poll(
        _ number: Int, owner: NodeAddress, importer: NodeAddress? = nil, heard: [NodeAddress] = []
    ) -> TopologyPoll {
        let nodes = [old, new, stranger].map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == owner ? .master : .replica)
            if address == importer { node.importing = [7] }
            return node
        }
        let owners = [String?](repeating: owner.description, count: Topology.slotCount)
        var poll = TopologyPoll(
            topology: Topology(cluster: nodes, owner: owners),
            ownWord: Dictionary(uniqueKeysWithValues: heard.map { ($0, $0 == owner ? .master : .replica) }))
        poll.number = number
        return poll
    }

    private func ownership(_ polls: TopologyPoll...) -> Ownership {
        var ownership = Ownership()
        for poll in polls { ownership.note(poll) }
        return ownership
    }

    @Test func theOwnersWordCounts() {
        let ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.needsSlot)
    }

    @Test func nothingIsDecidedBeforeTheFirstLook() {
        let ownership = Ownership()
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 0)) == .unknown)
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 0)) == .unknown)
    }

    @Test func theBacklogOfAFrozenMasterIsIgnored() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .doubted) == .unknown, "held, until a majority has spoken")
        ownership.note(poll(4, owner: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 4)) == .ignored)
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 3)) == .counts, "the promoted replica's")
    }

    @Test func aStallWithoutAFailoverCostsNothing() {
        let ownership = ownership(poll(1, owner: old), poll(4, owner: old, heard: [old]))
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 4)) == .counts)
    }

    @Test func aDecisionStandsWhateverHappensLater() {
        let ownership = ownership(poll(1, owner: old), poll(4, owner: new), poll(9, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 4)) == .ignored)
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 9)) == .counts)
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 3)) == .counts)
    }

    @Test func theNewsOfAPromotionMayComeBehindItsEvents() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 2)) == .unknown)
        ownership.note(poll(2, owner: new, heard: [new]))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 2)) == .counts)
    }

    @Test func aSlotThatMovedLatelyCounts() {
        var ownership = ownership(poll(1, owner: old), poll(5, owner: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 5)) == .counts, "behind the news of the move")
        ownership.note(poll(200, owner: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 200)) == .ignored, "that was long ago")
    }

    @Test func aNodeThatNeverOwnedTheSlotIsIgnoredOnceItHasAnswered() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 2)) == .unknown)
        ownership.note(poll(2, owner: old, heard: [stranger]))
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 2)) == .ignored)
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 3)) == .unknown, "came after that answer")
    }

    @Test func aNodeThatNeverAnswersIsNotWaitedForForEver() {
        var ownership = ownership(poll(1, owner: old))
        for number in 2...11 { ownership.note(poll(number, owner: old)) }
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 2)) == .unknown)
        ownership.note(poll(12, owner: old))
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 2)) == .ignored)
    }

    @Test func anImportingNodeMayAnnounce() {
        let ownership = ownership(poll(1, owner: old, importer: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 7, at: new, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 7, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 8, at: new, .trusted(look: 1)) == .ignored)
        #expect(ownership.verdict(slot: 7, at: new, .decided(look: 1)) == .counts)
    }

    @Test func manyChangesConfuseNothing() {
        var ownership = Ownership()
        var polls = [poll(0, owner: old), poll(0, owner: new)]
        for number in 1...1_000 {
            polls[number % 2].number = number
            ownership.note(polls[number % 2])
        }
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 1_000)) == .counts)
        #expect(ownership.verdict(slot: 5, at: new, .decided(look: 1_000)) == .ignored)
    }

    @Test func withOneMasterTheSlotDoesNotMatter() {
        var ownership = Ownership()
        let nodes = [
            Topology.Node(id: "old", address: old, role: .master),
            Topology.Node(id: "new", address: new, role: .replica),
        ]
        var poll = TopologyPoll(topology: Topology(mode: .standalone, nodes: nodes), ownWord: [new: .replica])
        poll.number = 1
        ownership.note(poll)
        #expect(!ownership.needsSlot)
        #expect(ownership.verdict(slot: 0, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 0, at: new, .trusted(look: 1)) == .ignored)
    }
}
