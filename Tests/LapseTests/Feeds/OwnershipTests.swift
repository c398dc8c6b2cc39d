import Testing

@testable import Lapse
@testable import RedisClient

/// Whose announcements count, row by row of the table in ``SlotOwnership``: faults 48, 101, 107 and
/// 108.
struct OwnershipTests {
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "10.0.0.2", port: 6379)
    private let stranger = NodeAddress(host: "10.0.0.3", port: 6379)

    /// `owner` has every slot; `importer` is importing slot 7.
    private func poll(
        _ number: Int, owner: NodeAddress, importer: NodeAddress? = nil, heard: [NodeAddress] = [], epoch: UInt64 = 0
    ) -> TopologyPoll {
        let nodes = [old, new, stranger].map { address in
            var node = Topology.Node(
                id: address.description, address: address, role: address == owner ? .master : .replica)
            if address == importer { node.importing = [7] }
            node.configEpoch = epoch
            return node
        }
        let owners = [String?](repeating: owner.description, count: Topology.slotCount)
        var poll = TopologyPoll(
            topology: Topology(cluster: nodes, owner: owners),
            ownWord: Dictionary(uniqueKeysWithValues: heard.map { ($0, $0 == owner ? .master : .replica) }))
        poll.number = number
        return poll
    }

    private func ownership(_ polls: TopologyPoll...) -> SlotOwnership {
        var ownership = SlotOwnership()
        for poll in polls { ownership.note(poll) }
        return ownership
    }

    @Test func theOwnersWordCounts() {
        let ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.needsSlot)
    }

    @Test func nothingIsDecidedBeforeTheFirstLook() {
        let ownership = SlotOwnership()
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 0)) == .unknown)
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 0)) == .unknown)
    }

    @Test func theBacklogOfAFrozenMasterIsIgnored() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .doubted(look: 2)) == .unknown, "held, until a majority has spoken")
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

    @Test(
        "nothing is ignored for lack of a look: what a node announced that never answers waits"
    )
    func aNodeThatNeverAnswersProvesNothing() {
        var ownership = ownership(poll(1, owner: old))
        var poll = poll(1, owner: old)
        for number in 2...200 {
            poll.number = number
            ownership.note(poll)
        }
        #expect(ownership.verdict(slot: 5, at: stranger, .trusted(look: 2)) == .unknown)
    }

    @Test func anImportingNodeMayAnnounce() {
        let ownership = ownership(
            poll(0, owner: old, importer: new), poll(1, owner: old, importer: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 7, at: new, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 7, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 8, at: new, .trusted(look: 1)) == .ignored)
        #expect(ownership.verdict(slot: 7, at: new, .decided(look: 1)) == .counts)
    }

    @Test("row 107: an entry counts however many looks and moves lie between its announcement and its turn")
    func slotsMoveForMoreThanAMinute() {
        var ownership = ownership(poll(1, owner: old, heard: [old]))
        var polls = [new, stranger].map { poll(0, owner: $0, heard: [old, new, stranger]) }
        for number in 2...300 {
            polls[number % 2].number = number
            ownership.note(polls[number % 2])
        }
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 5, at: old, .trusted(look: 3)) == .ignored, "announced after it had lost it")
    }

    @Test("row 108: what comes late behind a burst was announced before the failover, as far as the pings can tell")
    func aBurstThatOutlastsAFailover() {
        let ownership = ownership(
            poll(1, owner: old), poll(9, owner: new, heard: [old, new]), poll(99, owner: new, heard: [old, new]))
        #expect(ownership.verdict(slot: 5, at: old, .trusted(since: 8, look: 90)) == .counts)
        #expect(
            ownership.verdict(slot: 5, at: old, .trusted(since: 10, look: 90)) == .ignored, "it was asked after that")
    }

    @Test("a failover and back between two looks leaves its trace in the epochs: nothing is proven then")
    func whatNoLookHasSeen() {
        let ownership = ownership(
            poll(1, owner: old, epoch: 3), poll(9, owner: old, heard: [old, new], epoch: 5))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 4)) == .unknown)
        #expect(ownership.verdict(slot: 5, at: new, .trusted(since: 10, look: 4)) == .ignored)
    }

    @Test("after a silence and a death: what others saw before it spoke is proof, what they saw later is not")
    func theProcessThatCannotBeAsked() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: old, .abandoned(look: 2)) == .unknown, "no look since")
        ownership.note(poll(6, owner: new, heard: [new]))
        #expect(ownership.verdict(slot: 5, at: old, .abandoned(look: 7)) == .unknown)
        ownership.note(poll(7, owner: new, heard: [new]))
        #expect(ownership.verdict(slot: 5, at: old, .abandoned(look: 7)) == .ignored)
        #expect(ownership.verdict(slot: 5, at: old, .abandoned(look: 5)) == .counts)
        #expect(ownership.verdict(slot: 5, at: new, .abandoned(look: 7)) == .counts)
    }

    @Test func whatAPeerCouldNotTellIsToldByLaterLooks() {
        var ownership = ownership(poll(1, owner: old))
        #expect(ownership.verdict(slot: 5, at: new, .told(look: 2)) == .unknown)
        ownership.note(poll(2, owner: new, heard: [new, stranger]))
        #expect(ownership.verdict(slot: 5, at: new, .told(look: 2)) == .counts)
        #expect(ownership.verdict(slot: 5, at: old, .told(look: 2)) == .counts)
        #expect(ownership.verdict(slot: 5, at: stranger, .told(look: 2)) == .ignored)
    }

    @Test("the news of one look comes twice, and an old one behind a new one: only the newest view counts")
    func looksOutOfOrder() {
        let ownership = ownership(
            poll(1, owner: old), poll(3, owner: new, heard: [new]), poll(2, owner: old, heard: [old]),
            poll(3, owner: new))
        #expect(ownership.verdict(slot: 5, at: new, .trusted(look: 9)) == .counts)
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 3)) == .ignored)
    }

    @Test func manyChangesConfuseNothing() {
        var ownership = SlotOwnership()
        var polls = [poll(0, owner: old), poll(0, owner: new)]
        for number in 1...300 {
            polls[number % 2].number = number
            ownership.note(polls[number % 2])
        }
        #expect(ownership.verdict(slot: 5, at: old, .decided(look: 300)) == .counts)
        #expect(ownership.verdict(slot: 5, at: new, .decided(look: 300)) == .ignored)
    }

    // MARK: - One master

    /// - Parameter says: what those that answer say of themselves.
    private func group(
        _ number: Int, _ mode: Topology.Mode = .sentinel, master: NodeAddress?, says: [NodeAddress: Topology.Role],
        epoch: UInt64 = 0
    ) -> TopologyPoll {
        let nodes = [old, new].map { address in
            Topology.Node(
                id: "\(address)", address: address, role: address == master ? .master : .replica, configEpoch: epoch)
        }
        return TopologyPoll(topology: Topology(mode: mode, nodes: nodes), ownWord: says, number: number)
    }

    @Test func withOneMasterTheSlotDoesNotMatter() {
        let ownership = ownership(
            group(0, .standalone, master: old, says: [:]), group(1, .standalone, master: old, says: [new: .replica]))
        #expect(!ownership.needsSlot)
        #expect(ownership.verdict(slot: 0, at: old, .trusted(look: 1)) == .counts)
        #expect(ownership.verdict(slot: 9, at: new, .trusted(look: 1)) == .ignored)
    }

    @Test("row 101: a promoted server says master, the Sentinels name the dead one: its entries wait until they agree")
    func thePromotionOfWhichTheSentinelsKeepSilent() {
        var ownership = ownership(group(1, master: old, says: [old: .master, new: .replica], epoch: 1))
        for number in 2...20 {
            ownership.note(group(number, master: old, says: [new: .master], epoch: 2))
            #expect(ownership.verdict(slot: 0, at: new, .trusted(look: 2)) == .unknown)
        }
        ownership.note(group(21, master: new, says: [new: .master], epoch: 2))
        #expect(ownership.verdict(slot: 0, at: new, .trusted(look: 2)) == .counts)
        #expect(ownership.verdict(slot: 0, at: old, .trusted(look: 2)) == .counts, "its last ones, before it died")
    }

    @Test(
        "row 48 with Sentinels: a woken master says master for a while, and what it announces waits until it agrees"
    )
    func theWokenMasterOfASentinelGroup() {
        var ownership = ownership(
            group(1, master: old, says: [old: .master], epoch: 1), group(5, master: new, says: [new: .master], epoch: 2)
        )
        ownership.note(group(9, master: new, says: [old: .master, new: .master], epoch: 2))
        #expect(ownership.verdict(slot: 0, at: old, .trusted(look: 8)) == .unknown)
        ownership.note(group(10, master: new, says: [old: .replica, new: .master], epoch: 2))
        #expect(ownership.verdict(slot: 0, at: old, .trusted(look: 8)) == .ignored)
    }

    @Test("row 63: beside a master that answers as such, another one without Sentinels is a copy")
    func aCopyOfASingleRedis() {
        var ownership = ownership(group(1, .standalone, master: old, says: [old: .master, new: .replica]))
        ownership.note(group(2, .standalone, master: old, says: [new: .master]))
        #expect(ownership.verdict(slot: 0, at: new, .trusted(look: 2)) == .unknown, "the other may be dead")
        ownership.note(group(3, .standalone, master: old, says: [old: .master, new: .master]))
        #expect(ownership.verdict(slot: 0, at: new, .trusted(look: 2)) == .ignored)
    }

    @Test func aDoubtIsNotSettledWhileTwoSayThatTheyAreTheMaster() {
        let both: [NodeAddress: Topology.Role] = [old: .master, new: .master]
        #expect(!group(1, master: old, says: both).settles(old))
        #expect(!group(1, master: new, says: both).settles(old))
        #expect(group(1, master: new, says: [old: .replica, new: .master]).settles(old))
        #expect(group(1, .standalone, master: old, says: both).settles(old))
        #expect(!group(1, .standalone, master: nil, says: [new: .master]).settles(old), "it has not answered")
    }
}
