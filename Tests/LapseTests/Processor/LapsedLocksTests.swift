import RedisClient
import Testing

@testable import Lapse

/// Row 81: which ordinal of a hole an own lock may account for.
struct LapsedLocksTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)
    private let lock = "{lapse-0}:default:lock"

    private func heard(_ ordinal: UInt64, _ key: String) -> HeardExpiration {
        HeardExpiration(ordinal: ordinal, database: 0, receivedAt: 1_000, key: Array(key.utf8))
    }

    private func log(through last: UInt64) -> NodeLog {
        let log = logs.log(of: "r", at: node)
        log.hear((1...last).map { "k\($0)" })
        return log
    }

    private func fill(
        _ locks: inout LapsedLocks, _ ordinals: ClosedRange<UInt64>, _ log: NodeLog, after last: UInt64,
        _ end: RepairInquiry.End = .answered
    ) -> [UInt64] {
        let hole = Repairer.Hole(runID: "r", node: "10.0.0.1:6379", ordinals: ordinals)
        return locks.fill(hole, end, of: log, after: last, look: 0, now: 1_000) { _ in true }.map(\.ordinal)
    }

    @Test func itStandsForOneOrdinalAndForNoMore() {
        let log = log(through: 5)
        var locks = LapsedLocks([lock], logs.all)
        #expect(fill(&locks, 6...8, log, after: 5) == [8])
        #expect(log.entry(8) != nil && log.entry(7) == nil)
        #expect(fill(&locks, 9...9, log, after: 5) == [])
    }

    @Test("what the last leader had left was there before its lock ran out")
    func notWhatWasPending() {
        let log = log(through: 5)
        var locks = LapsedLocks([lock], logs.all)
        #expect(fill(&locks, 6...7, log, after: 7) == [])
        #expect(fill(&locks, 6...9, log, after: 7) == [9])
    }

    @Test("what was missed in this term cannot hold a lock that ran out before it")
    func notWhatIsMissedLater() {
        let log = log(through: 5)
        var locks = LapsedLocks([lock], logs.all)
        log.hearMore((6...9).map { "k\($0)" })
        #expect(fill(&locks, 10...12, log, after: 5) == [])
    }

    @Test("in mid-term it ran out after its last renewal, and before it was known to be gone")
    func whileATermGoesOn() {
        let log = log(through: 5)
        var locks = LapsedLocks()
        let before = LapsedLocks.announced(logs.all)
        #expect(before == ["r": 5])
        log.hearMore(["k6"])
        locks.ranOut(lock, after: before, through: LapsedLocks.known(logs.all))
        #expect(locks.awaits(lock))
        #expect(fill(&locks, 3...5, log, after: 0) == [], "it was held then")
        #expect(fill(&locks, 8...9, log, after: 0) == [], "what began later does not hold it")
        #expect(fill(&locks, 4...8, log, after: 0) == [8])
        #expect(!locks.awaits(lock))
        locks.ranOut(lock, after: before, through: LapsedLocks.known(logs.all))
        locks.heard(lock)
        #expect(fill(&locks, 7...8, log, after: 0) == [], "its end was announced")
    }

    @Test("a process that was not there when the lock was last renewed has not counted its end")
    func whileATermGoesOnElsewhere() {
        let log = log(through: 5)
        var locks = LapsedLocks()
        locks.ranOut(lock, after: ["another": 5], through: LapsedLocks.known(logs.all))
        #expect(fill(&locks, 6...7, log, after: 0) == [])
    }

    private func besides(
        _ locks: inout LapsedLocks, _ ordinals: ClosedRange<UInt64>, _ log: NodeLog, after last: UInt64
    ) -> [ClosedRange<UInt64>] {
        let hole = Repairer.Hole(runID: "r", node: "10.0.0.1:6379", ordinals: ordinals)
        return locks.besides(hole, .answered, of: log, after: last) { _ in true }.map(\.ordinals)
    }

    @Test("seed 47785: a lock that a peer heard in a later gap excuses nothing in an earlier one")
    func aLaterGapIsAskedAboutFirst() {
        // This replica heard nothing before its subscription, through 12, and missed 13 and 14 before the
        // term.
        let log = logs.log(of: "r", at: node)
        log.hear([], counter: 12)
        var locks = LapsedLocks([lock], logs.all)
        log.hear(["k15"], counter: 15)
        #expect(besides(&locks, 7...12, log, after: 6) == [13...14])
        #expect(besides(&locks, 7...12, log, after: 6) == [], "one answer is enough")
        _ = log.insert([heard(14, lock)], look: 0, now: 1_000)
        #expect(fill(&locks, 7...12, log, after: 6) == [], "all of it is lost")
        #expect(fill(&locks, 13...13, log, after: 6) == [])
    }

    @Test("however many gaps there are, the lock may have ended in the last of them")
    func allLaterGapsAreAskedAbout() {
        let log = logs.log(of: "r", at: node)
        log.hear([], counter: 12)
        for ordinal in stride(from: UInt64(14), through: 50, by: 2) { log.hear(["k"], counter: ordinal) }
        var locks = LapsedLocks([lock], logs.all)
        var asked: [ClosedRange<UInt64>] = []
        while case let more = besides(&locks, 7...12, log, after: 6), !more.isEmpty { asked += more }
        #expect(asked == stride(from: 13, through: 49, by: 2).map { $0...$0 })
    }

    @Test func whatNoNodeAnnouncedIsNotAskedAbout() {
        var stretches = UnannouncedOrdinals()
        stretches.add(20...29, .countedOnly)
        stretches.add(40...49, .silenced)
        #expect(stretches.others(in: 1...10) == [1...10])
        #expect(stretches.others(in: 21...28) == [])
        #expect(stretches.others(in: 15...45) == [15...19, 30...39])
        #expect(stretches.others(in: 25...60) == [30...39, 50...60])
    }

    @Test func whatAPeerCouldNotTellAtOnceIsLeftToAsk() {
        let hole = Repairer.Hole(runID: "r", node: "10.0.0.1:6379", ordinals: 6...9)
        #expect(hole.rest(after: .cut(through: 7))?.ordinals == 8...9)
        #expect(hole.rest(after: .cut(through: 9)) == nil && hole.rest(after: .answered) == nil)
    }

    @Test("nothing else is asked about where a lock cannot have ended, or none is awaited")
    func nothingBesides() {
        let log = logs.log(of: "r", at: node)
        log.hear([], counter: 12)
        var none = LapsedLocks([], logs.all)
        var locks = LapsedLocks([lock], logs.all)
        log.hear(["k13"], counter: 13)
        log.hear(["k17"], counter: 17)
        #expect(besides(&none, 7...12, log, after: 6) == [])
        #expect(besides(&locks, 7...12, log, after: 6) == [], "14 to 16 were missed when 13 had been heard")
    }

    @Test func onlyWhatIsSettled() {
        let log = log(through: 5)
        var locks = LapsedLocks([lock], logs.all)
        #expect(fill(&locks, 6...9, log, after: 5, .cut(through: 7)) == [7])
    }

    @Test func aLockThatWasHeardExcusesNothing() {
        let log = log(through: 5)
        var locks = LapsedLocks([lock], logs.all)
        locks.heard(lock)
        #expect(fill(&locks, 6...8, log, after: 5) == [])
        _ = log.insert([heard(6, lock)], look: 0, now: 1_000)
        locks = LapsedLocks([lock], logs.all)
        if LapsedLocks.wasHeard(lock, in: logs.all, after: { _ in 5 }) { locks.heard(lock) }
        #expect(fill(&locks, 7...8, log, after: 5) == [])
        // It ended before: that was an earlier term's.
        locks = LapsedLocks([lock], logs.all)
        if LapsedLocks.wasHeard(lock, in: logs.all, after: { _ in 6 }) { locks.heard(lock) }
        #expect(fill(&locks, 7...8, log, after: 6) == [8])
    }
}
