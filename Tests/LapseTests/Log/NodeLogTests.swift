import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

struct NodeLogTests {
    @Test func numbersWhatWasHeardBeforeTheMark() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        #expect(feed.log.isSubscribed)
        feed.expire("a", "b")
        #expect(feed.log.baseline == nil)
        #expect(feed.ordinals().isEmpty)
        let finding = feed.mark(102)
        #expect(finding == .numbered(offset: 100, missed: nil))
        #expect(feed.log.baseline == 100)
        feed.expire("c", database: 7)
        #expect(feed.ordinals(after: 100) == [101, 102, 103])
        #expect(feed.hole(after: 100) == nil)
        #expect(feed.log.entry(103)?.database == 7)
        #expect(feed.keys(103...103) == [Array("c".utf8)])
        #expect(feed.log.counts.received == 3)
        #expect(feed.log.counts.last == 103)
        #expect(feed.others == ["nonce"])
        #expect(feed.ordinals(after: 103).isEmpty)
        #expect(feed.hole(after: 103) == nil)
    }

    @Test func aBrokenSubscriptionLeavesAHoleOfExactSize() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(100)
        feed.expire("a", "b")
        feed.log.subscriptionEnded(now: 2_000)
        feed.log.subscriptionBegan()
        feed.expire("c")
        // Broken again before its first mark: what it heard is in the hole too.
        feed.log.subscriptionEnded(now: 2_500)
        feed.log.subscriptionBegan()
        feed.expire("d")
        let finding = feed.mark(107)
        #expect(finding == .numbered(offset: 106, missed: 103...106))
        #expect(feed.hole(after: 102) == 103...106)
        #expect(feed.ordinals(after: 106) == [107])
        #expect(feed.ordinals(after: 100) == [101, 102], "a visit ends at the hole")
    }

    @Test func whatWasNumberedTooLowMovesUpAndWhatPeersToldStays() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(100)
        feed.expire("a", "b")
        let told = [107, 108].map { HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: [UInt8($0)]) }
        #expect(feed.log.insert(told, look: 3, now: 1_000) == 2)
        feed.log.adopt(base: 5)
        #expect(feed.log.isProvisional)
        feed.expire("c")
        let finding = feed.mark(103)
        #expect(finding == .renumbered(after: 100, by: 5) && !feed.log.isProvisional)
        #expect(feed.log.baseline == 105)
        #expect(feed.ordinals(after: 105) == [106, 107, 108])
        #expect(feed.keys(106...108) == ["a", "b", "c"].map { Array($0.utf8) })
        #expect(feed.log.counts.entries == 3 && feed.log.counts.bytes == 3 * (1 + 12))
        feed.expire("d")
        #expect(feed.ordinals(after: 105) == [106, 107, 108, 109])
    }

    @Test func whatWasNotAnnouncedMovesUpToo() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(100)
        feed.expire("a")
        let unannounced = feed.mark(103)
        #expect(unannounced == .missed(102...103))
        feed.log.adopt(base: 5)
        let anew = feed.mark(103)
        #expect(anew == .renumbered(after: 100, by: 5))
        #expect(feed.log.unannounced.first(of: 107...108) == (107...108, .silenced))
        #expect(feed.log.unannounced.first(of: 101...105) == (101...105, nil))
    }

    @Test func whatIsTrimmedIsAHole() throws {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        for number in 0..<2_000 { feed.expire("\(number)-" + String(repeating: "x", count: 100)) }
        let counts = feed.log.counts
        #expect(counts.bytes <= 64 << 10)
        #expect(counts.received == 2_000)
        let hole = try #require(feed.hole(after: 0))
        #expect(hole.lowerBound == 1)
        #expect(hole.count + counts.entries == 2_000)
        feed.log.trimAged(now: 1_000_000)
        #expect(feed.hole(after: 0) == 1...2_000, "whatever the log forgot, the count is exact")
    }

    @Test func doubtLastsUntilItIsDecided() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        feed.expire("trusted")
        feed.log.doubt()
        feed.expire("doubted")
        func provenances() -> [ExpirationLog.Provenance] {
            var all: [ExpirationLog.Provenance] = []
            var last: UInt64 = 0
            while case .entries(let chunk) = feed.log.next(after: last, upTo: 3) {
                all += Array(repeating: chunk.provenance, count: chunk.count)
                last = chunk.last
            }
            return all
        }
        #expect(provenances() == [.trusted(look: 3), .doubted(look: 3)])
        feed.log.decide(look: 8)
        feed.expire("after")
        #expect(provenances() == [.trusted(look: 3), .decided(look: 8), .trusted(look: 3)])
    }

    @Test func lapsedLocksAreToldAndStillCounted() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        let heard = feed.expire("{lapse-12}:test:lock", "mine", "{lapse-x}")
        #expect(heard == 3, "Redis counts them")
        #expect(feed.lapsedLocks == 1)
    }

    @Test func anOldEmptyLogIsOver() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        #expect(!feed.log.isOver(now: 1 << 40, after: 10), "a feed listens")
        _ = feed.mark(0)
        feed.expire("a")
        feed.log.subscriptionEnded(now: 1_000)
        #expect(!feed.log.isOver(now: 1 << 40, after: 10), "something is left")
        feed.log.trim(through: 1)
        #expect(feed.log.isOver(now: 1_011, after: 10))
        #expect(!feed.log.isOver(now: 1_010, after: 10))
    }

    @Test("row 106: what the leader's progress does not call finished is kept whatever its age; bytes bound it still")
    func pendingOnesDoNotAge() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        feed.expire("a", "b", "c")
        feed.log.trim(through: 0)
        feed.log.trimAged(now: 1 << 40)
        #expect(feed.log.counts.entries == 3)
        feed.log.stands(atUnproven: true)
        feed.log.trimAged(now: 1 << 40)
        #expect(feed.log.counts.entries == 0, "what may never be proven does not hold the log for ever")
        feed.log.stands(atUnproven: false)
        feed.expire("d")
        feed.log.follow(false)
        feed.log.trimAged(now: 1 << 40)
        #expect(feed.log.counts.entries == 0, "nor what no leader speaks of")
    }

    @Test("row 115: a wall clock that was put forward does not make the bound of bytes one of age")
    func bytesAreTrimmedByBytes() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        for number in 0..<5_000 { feed.expire("key:\(number)", now: number < 4_999 ? 1_000 : 1 << 40) }
        let counts = feed.log.counts
        let kept = counts.entries
        #expect(kept > 1_000 && kept < 5_000, "\(counts)")
    }

    @Test("row 115: numbers that the next mark may change are told to nobody")
    func provisionalNumbersAreNotTold() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        feed.expire("a", "b")
        let ownership = SlotOwnership().seen(from: feed.log.address)
        feed.log.adopt(base: 5)
        let piece = feed.log.heard(in: 1...10, bytes: 1_000, ownership)
        #expect(piece.expirations.isEmpty && !piece.isClear)
        _ = feed.mark(2)
        #expect(feed.ordinals(after: 5) == [6, 7])
    }

    @Test("seed 97922: numbers about which peers have not been asked yet are told to no replica, and wait")
    func aNewcomersNumbersWaitForItsPeers() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        feed.log.awaitPeers()
        _ = feed.mark(3)
        feed.expire("a")
        let ownership = SlotOwnership().seen(from: feed.log.address)
        #expect(feed.log.isProvisional)
        let early = feed.log.heard(in: 1...10, bytes: 1_000, ownership)
        #expect(early.expirations.isEmpty && !early.isClear)
        feed.log.adopt(base: 1)
        feed.log.peersWereAsked()
        #expect(feed.log.isProvisional, "what they told needs a mark")
        _ = feed.mark(4)
        #expect(!feed.log.isProvisional && feed.ordinals(after: 4) == [5])
        feed.log.awaitPeers()
        feed.log.subscriptionEnded(now: 1_000)
        feed.log.subscriptionBegan()
        #expect(!feed.log.isProvisional, "the next subscription begins anew")
    }

    @Test("what the bounds dropped and no leader has passed keeps its log: somebody has to count it as lost")
    func anEmptyLogWithAnUncountedLossIsNotOver() {
        var feed = HeardLog()
        feed.log.subscriptionBegan()
        _ = feed.mark(0)
        feed.expire("a", "b")
        feed.log.subscriptionEnded(now: 1_000)
        feed.log.trimAged(now: 1 << 40)
        #expect(feed.log.counts.entries == 0)
        #expect(!feed.log.isOver(now: 1 << 40, after: 10), "two are not accounted for")
        feed.log.trim(through: 2)
        #expect(feed.log.isOver(now: 1 << 40, after: 10))
    }

    @Test("a process that took another's place owes all that it announced, heard or not; one met first does not")
    func successor() {
        let book = LogSet(limitBytes: 64 << 10, limitAge: .seconds(60))
        let address = NodeAddress(host: "10.0.0.1", port: 6379)
        var first = HeardLog(log: book.log(of: "one", at: address))
        first.log.subscriptionBegan()
        _ = first.mark(50)
        #expect(first.log.baseline == 50, "expired before anybody listened")
        var second = HeardLog(log: book.log(of: "two", at: address))
        second.log.subscriptionBegan()
        second.expire("a")
        _ = second.mark(4)
        #expect(second.log.baseline == 0)
        #expect(second.ordinals() == [], "1 to 3 are a hole first")
        #expect(second.ordinals(after: 3) == [4])
        #expect(book.log(of: "two", at: address) === second.log)
    }

    @Test(arguments: [
        ("__keyevent@0__:expired", 0), ("__keyevent@15__:expired", 15), ("lapse:test", nil), ("__keyevent@", nil),
        ("", nil), ("__keyspace@0__:k", nil),
    ])
    func readsTheDatabaseOfAChannel(_ channel: String, _ database: UInt16?) {
        // Unsafe in name only: a byte has no padding.
        #expect(unsafe EventChannel.database(of: Array(channel.utf8).span.bytes) == database)
    }
}
