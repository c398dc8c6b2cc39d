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
