import RESP
import Testing

@testable import Lapse

/// What the leader's progress tells of a counter that was reset while a replica was not there.
struct NumberingFloorTests {
    private func numbering(floor: UInt64, base: Int64 = 0) -> Numbering {
        var numbering = Numbering()
        numbering.learn(through: floor)
        numbering.adopt(base: base)
        numbering.begin()
        return numbering
    }

    @Test("row 102: a counter below what the leader had passed was reset: what comes is numbered behind it")
    func resetWhileNoReplicaRan() {
        var numbering = numbering(floor: 1_000)
        numbering.pin()
        #expect(numbering.resolve(counter: 0, floor: 1_000) == .numbered(offset: 1_000, missed: nil))
        #expect(numbering.base == 1_000)
        #expect(numbering.next() == 1_001)
    }

    @Test func whatCameSinceTheResetAndBeforeTheSubscriptionIsMissed() {
        var numbering = numbering(floor: 1_000)
        _ = numbering.next(2)
        numbering.pin()
        // Seven since the reset, of which the last two were heard.
        #expect(numbering.resolve(counter: 7, floor: 1_000) == .numbered(offset: 1_005, missed: nil))
        #expect(numbering.last == 1_007)
    }

    @Test func forgedMessagesThatNothingHadToldApartAreNoReset() {
        var numbering = numbering(floor: 1_001)
        numbering.pin()
        #expect(numbering.resolve(counter: 1_000, floor: 1_001) == .numbered(offset: 1_001, missed: nil))
        #expect(numbering.base == 1)
    }

    @Test func aLeaderThatIsAheadIsNoReset() {
        var numbering = numbering(floor: 1_000, base: 10)
        _ = numbering.next(5)
        numbering.pin()
        // The leader has passed three of the five that were heard here as well.
        #expect(numbering.resolve(counter: 993, floor: 1_000) == .numbered(offset: 998, missed: nil))
        #expect(numbering.base == 10)
        // Later its word is ahead of this feed: the counter was read before.
        numbering.learn(through: 1_050)
        numbering.saw(counter: 995, floor: 1_003)
        #expect(!numbering.isProvisional)
    }

    @Test func progressThatComesAfterTheFirstMarkNumbersAnew() {
        var numbering = numbering(floor: 0)
        _ = numbering.next(3)
        numbering.pin()
        #expect(numbering.resolve(counter: 3) == .numbered(offset: 0, missed: nil))
        numbering.learn(through: 1_000)
        numbering.saw(counter: 3, floor: 1_000)
        #expect(numbering.isProvisional)
        numbering.pin()
        #expect(numbering.resolve(counter: 3, floor: 1_000) == .renumbered(after: 0, by: 1_000))
        #expect(numbering.next() == 1_004)
        #expect(!numbering.isProvisional)
    }

    @Test func forgedMessagesThatOnlyTheLeaderHeardShiftByTheirNumber() {
        var numbering = numbering(floor: 0)
        numbering.pin()
        #expect(numbering.resolve(counter: 990) == .numbered(offset: 990, missed: nil))
        _ = numbering.next(10)
        numbering.learn(through: 1_001)
        numbering.saw(counter: 1_000, floor: 1_001)
        numbering.pin()
        #expect(numbering.resolve(counter: 1_000, floor: 1_001) == .renumbered(after: 990, by: 1))
    }

    @Test func aHugeWordIsNoTrap() {
        var numbering = numbering(floor: .max)
        numbering.pin()
        _ = numbering.resolve(counter: .max, floor: numbering.floor)
        _ = numbering.next()
    }

    @Test(
        "a word that no node can have reached is none: the node's own count stands, and marks go on",
        arguments: [Numbering.toldLimit, PlausibleCount.limit - 1])
    func whatCannotBeTrueStopsNoLog(_ word: UInt64) {
        var numbering = numbering(floor: 0)
        numbering.pin()
        #expect(numbering.resolve(counter: 10) == .numbered(offset: 10, missed: nil))
        numbering.learn(through: word)
        numbering.adopt(base: Int64(word))
        #expect(numbering.next() == 11)
        let floor = numbering.floor
        numbering.saw(counter: 11, floor: floor)
        numbering.pin()
        #expect(numbering.resolve(counter: 11, floor: floor) == .confirmed)
        #expect(!numbering.isProvisional)
        #expect(numbering.next() == 12)
    }

    @Test("the largest words that are believed, even added up, leave room for all that a node announces")
    func theLargestWords() {
        let word = Numbering.toldLimit - 1
        for base in [word, word - 10, 0] {
            var numbering = numbering(floor: 0)
            numbering.pin()
            #expect(numbering.resolve(counter: 0) == .numbered(offset: 0, missed: nil))
            numbering.learn(through: word)
            numbering.adopt(base: Int64(base))
            _ = numbering.next(3)
            numbering.saw(counter: 3, floor: word)
            numbering.pin()
            #expect(numbering.resolve(counter: 3, floor: word) != nil)
            _ = numbering.next(1 << 40)
            numbering.pin()
            #expect(numbering.resolve(counter: 3 + 1 << 40, floor: word) == .confirmed)
            #expect(!numbering.isProvisional)
        }
    }

    @Test func flagsAreFineOnlyWhereEveryLookSaysSo() {
        var flags = FlagsWatch()
        flags.marked()
        #expect(!flags.wereFine, "not looked at yet")
        flags.looked(areFine: true)
        #expect(flags.wereFine)
        flags.looked(areFine: false)
        flags.looked(areFine: true)
        #expect(!flags.wereFine, "something may have expired unheard")
        flags.marked()
        #expect(flags.wereFine, "what came before is settled")
        flags.looked(areFine: false)
        flags.marked()
        #expect(!flags.wereFine)
    }
}
