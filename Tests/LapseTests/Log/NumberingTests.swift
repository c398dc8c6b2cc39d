import Testing

@testable import Lapse

struct NumberingTests {
    /// Numbered by a first mark at `counter`, before anything was heard.
    private func numbered(at counter: UInt64) -> Numbering {
        var numbering = Numbering()
        numbering.begin()
        numbering.pin()
        #expect(numbering.resolve(counter: counter) == .numbered(offset: counter, missed: nil))
        return numbering
    }

    @Test func theFirstMarkNumbersWhatCameBeforeAndAfterIt() {
        var numbering = Numbering()
        numbering.begin()
        #expect([numbering.next(), numbering.next(), numbering.next()] == [1, 2, 3], "indexes, not ordinals")
        #expect(!numbering.isNumbered)
        numbering.pin()
        #expect(numbering.next() == 4)
        #expect(numbering.last == nil)
        // The counter stood at 1003 where the mark was: three of those had been heard.
        #expect(numbering.resolve(counter: 1_003) == .numbered(offset: 1_000, missed: nil))
        #expect(numbering.isNumbered)
        #expect(numbering.last == 1_004)
        #expect(numbering.next() == 1_005)
    }

    @Test func laterMarksConfirm() {
        var numbering = numbered(at: 10)
        for round in UInt64(1)...5 {
            #expect(numbering.next() == 10 + 2 * round - 1)
            numbering.pin()
            #expect(numbering.next() == 10 + 2 * round)
            #expect(numbering.resolve(counter: 10 + 2 * round - 1) == .confirmed)
        }
    }

    @Test func aCounterWithoutItsNonceSaysNothing() {
        var numbering = numbered(at: 10)
        #expect(numbering.resolve(counter: 999) == nil)
        #expect(numbering.next() == 11)
    }

    @Test func whatWasMissedIsExact() {
        var numbering = numbered(at: 10)
        _ = numbering.next()
        numbering.pin()
        #expect(numbering.resolve(counter: 18) == .missed(12...18))
        #expect(numbering.next() == 19)
        numbering.pin()
        #expect(numbering.resolve(counter: 19) == .confirmed)
    }

    @Test("a counter that fell below what was read without a mark was reset: nothing was forged")
    func aResetBetweenRareMarksIsNoForgery() {
        var numbering = numbered(at: 0)
        for _ in 0..<5 { _ = numbering.next() }
        numbering.saw(counter: 5)
        numbering.pin()
        #expect(numbering.resolve(counter: 0) == .reset)
        #expect(numbering.next() == 6)
        numbering.pin()
        #expect(numbering.resolve(counter: 1) == .confirmed)
    }

    @Test func forgedMessagesAreSurplusAndTheOrdinalsGoOn() {
        var numbering = numbered(at: 10)
        for _ in 0..<5 { _ = numbering.next() }
        numbering.pin()
        #expect(numbering.resolve(counter: 13) == .surplus(2))
        #expect(numbering.base == 2)
        #expect(numbering.next() == 16)
        numbering.pin()
        #expect(numbering.resolve(counter: 14) == .confirmed)
    }

    @Test func aResetWhileConnectedBreaksNoOrdinal() {
        var numbering = numbered(at: 1_000)
        for _ in 0..<5 { _ = numbering.next() }
        // RESETSTAT after the third: two were counted since.
        numbering.pin()
        #expect(numbering.resolve(counter: 2) == .reset)
        #expect(numbering.base == 1_003)
        #expect(numbering.next() == 1_006)
        numbering.pin()
        #expect(numbering.resolve(counter: 3) == .confirmed)
    }

    @Test func aResetToNothingLosesNothing() {
        var numbering = numbered(at: 50)
        _ = numbering.next()
        numbering.pin()
        #expect(numbering.resolve(counter: 0) == .reset)
        #expect(numbering.next() == 52)
    }

    @Test func theGapBetweenSubscriptionsIsExact() {
        var numbering = numbered(at: 100)
        for _ in 0..<4 { _ = numbering.next() }
        numbering.begin()
        #expect(!numbering.isNumbered)
        _ = numbering.next()
        _ = numbering.next()
        numbering.pin()
        #expect(numbering.resolve(counter: 116) == .numbered(offset: 114, missed: 105...114))
        #expect(numbering.last == 116)
    }

    @Test func aResubscriptionWithoutLossReportsNone() {
        var numbering = numbered(at: 100)
        _ = numbering.next()
        numbering.begin()
        numbering.pin()
        #expect(numbering.resolve(counter: 101) == .numbered(offset: 101, missed: nil))
    }

    @Test func aResetWhileAwayCountsWhatCameSince() {
        var numbering = numbered(at: 100)
        for _ in 0..<4 { _ = numbering.next() }
        numbering.begin()
        _ = numbering.next()
        numbering.pin()
        // Seven since the reset, of which the last was heard: 105 to 110 are missing, 111 is here.
        #expect(numbering.resolve(counter: 7) == .numbered(offset: 110, missed: 105...110))
        #expect(numbering.last == 111)
        #expect(numbering.next() == 112)
    }

    @Test func aServerThatCountedFewerThanWereHeardStartsAtNothing() {
        var numbering = Numbering()
        numbering.begin()
        for _ in 0..<5 { _ = numbering.next() }
        numbering.pin()
        #expect(numbering.resolve(counter: 3) == .numbered(offset: 0, missed: nil))
        #expect(numbering.last == 5)
    }

    // MARK: - The leader's base

    @Test func aLateReplicaTakesTheLeadersBase() {
        var numbering = Numbering()
        numbering.adopt(base: 1_003)
        numbering.begin()
        numbering.pin()
        #expect(numbering.resolve(counter: 4) == .numbered(offset: 1_007, missed: nil))
    }

    /// Two listeners hear five forged messages and a real one; who subscribes behind them learns of it from
    /// the leader.
    @Test func whoWasNotThereWhenMessagesWereForgedNumbersAnew() {
        var leader = numbered(at: 100)
        var witness = numbered(at: 100)
        for _ in 0..<6 {
            _ = leader.next()
            _ = witness.next()
        }
        var late = numbered(at: 101)
        leader.pin()
        #expect(leader.resolve(counter: 101) == .surplus(5))
        for ordinal in UInt64(107)...108 {
            #expect(leader.next() == ordinal)
            #expect(witness.next() == ordinal)
            #expect(late.next() == ordinal - 5, "too low, and nothing here can tell")
        }
        witness.adopt(base: leader.base)
        late.adopt(base: leader.base)
        #expect(witness.isProvisional && late.isProvisional)
        witness.pin()
        late.pin()
        #expect(witness.resolve(counter: 103) == .surplus(5), "it has heard them itself, and says so")
        #expect(late.resolve(counter: 103) == .renumbered(after: 101, by: 5))
        #expect(!witness.isProvisional && !late.isProvisional)
        #expect(Set([leader.next(), witness.next(), late.next()]) == [109])
    }

    /// Row 41: another replica's mark was the first to show them.
    @Test func whatAnotherReplicaToldFirstIsStillCountedHere() {
        var forged = numbered(at: 100)
        for _ in 0..<5 { _ = forged.next() }
        forged.adopt(base: 5)
        forged.pin()
        #expect(forged.resolve(counter: 100) == .surplus(5))
        forged.pin()
        #expect(forged.resolve(counter: 100) == .confirmed, "once")

        var reset = numbered(at: 100)
        _ = reset.next(2)
        reset.adopt(base: 101)
        reset.pin()
        #expect(reset.resolve(counter: 1) == .reset)
        #expect(reset.next() == 103)
    }

    @Test func aBaseThatIsKnownAlreadyLeavesNothingToProve() {
        var numbering = numbered(at: 10)
        numbering.adopt(base: 0)
        #expect(!numbering.isProvisional)
        numbering.adopt(base: 500)
        numbering.begin()
        #expect(!numbering.isProvisional, "the next subscription begins with it")
    }

    @Test func aReplicaThatWasAwayDuringAResetAgreesWithTheLeader() {
        var leader = numbered(at: 100)
        var follower = numbered(at: 100)
        follower.begin()
        for _ in 0..<6 { _ = leader.next() }
        leader.pin()
        // Reset after four of the six.
        #expect(leader.resolve(counter: 2) == .reset)
        follower.adopt(base: leader.base)
        follower.pin()
        #expect(follower.resolve(counter: 2) == .numbered(offset: 106, missed: 101...106))
        #expect(follower.next() == leader.next())
    }

    @Test func anOldWordOfTheLeaderNeverTakesABaseBack() {
        var numbering = numbered(at: 100)
        _ = numbering.next()
        numbering.pin()
        #expect(numbering.resolve(counter: 1) == .reset)
        numbering.begin()
        numbering.adopt(base: 0)
        numbering.pin()
        #expect(numbering.resolve(counter: 1) == .numbered(offset: 101, missed: nil))
    }
}
