import Testing

@testable import Lapse

struct ExpirationLogTests {
    /// A feed that lags behind what a peer told of it.
    @Test func aFeedThatLagsPutsItsOwnInBetween() {
        var log = ExpirationLog()
        log.add("own:1", 1)
        let heard = (4...6 as ClosedRange<UInt64>).map {
            HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: Array("peer:\($0)".utf8))
        }
        #expect(log.insert(heard, provenance: .trusted(look: 1)) == 3)
        for ordinal in 2...8 as ClosedRange<UInt64> { log.add("own:\(ordinal)", ordinal) }
        #expect(log.ordinals() == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(log.keys(after: 3).prefix(2) == [Array("peer:4".utf8), Array("peer:5".utf8)])
        #expect(log.ordinals(after: 6) == [7, 8])
        #expect(log.count == 8)
    }

    /// A peer's word on what the feed heard before it had a number, and on what lay before: chunks must not
    /// overlap.
    @Test func whatAPeerToldOfAnUnnumberedStretchGivesWay() {
        var log = ExpirationLog()
        log.add("own:1", 1, isNumbered: false)
        log.add("own:2", 2, isNumbered: false)
        let heard = (9...12 as ClosedRange<UInt64>).map {
            HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: Array("peer:\($0)".utf8))
        }
        #expect(log.insert(heard, provenance: .trusted(look: 1)) == 4)
        log.number(from: 10)
        #expect(log.ordinals() == [9, 10, 11, 12])
        #expect(log.ordinals(after: 11) == [12])
        #expect(log.ordinals(after: 12) == [])
        #expect(log.keys(after: 10) == [Array("own:1".utf8), Array("own:2".utf8)])
        #expect(log.count == 4)
    }

    @Test func keepsEveryKeyByteForByte() throws {
        var log = ExpirationLog(chunkBytes: 64)
        let keys: [[UInt8]] = [
            [], Array("plain".utf8), [0, 13, 10, 255, 254], [], Array(repeating: 7, count: 1_000_000),
            Array("after the huge one".utf8), Array("new\nline".utf8), [0xc3, 0x28],
        ]
        for (index, key) in keys.enumerated() { log.add(key, UInt64(index + 1)) }
        #expect(log.keys() == keys)
        #expect(log.count == keys.count)
        for (index, key) in keys.enumerated() {
            let entry = try #require(log.entry(UInt64(index + 1)))
            #expect(log.keys(after: UInt64(index)).first == key)
            #expect(entry.ordinal == UInt64(index + 1))
        }
        #expect(log.entry(0) == nil)
        #expect(log.entry(UInt64(keys.count + 1)) == nil)
    }

    @Test func keepsDatabaseTimeAndProvenance() throws {
        var log = ExpirationLog()
        log.add([1], 1, database: 15, now: 5_000, provenance: .trusted(look: 3))
        log.add([2], 2, database: 0, now: 5_250, provenance: .trusted(look: 3))
        log.add([3], 3, database: 1_023, now: 4_000, provenance: .trusted(look: 3))
        log.add([4], 4, now: 4_100, provenance: .doubted(look: 3))
        let entries = try (1...4).map { try #require(log.entry($0)) }
        #expect(entries.map(\.database) == [15, 0, 1_023, 0])
        #expect(entries.map(\.receivedAt) == [5_000, 5_250, 4_000, 4_100], "the wall clock may step back")
        #expect(
            entries.map(\.provenance) == [.trusted(look: 3), .trusted(look: 3), .trusted(look: 3), .doubted(look: 3)])
        let isOver = log.decide(look: 9)
        #expect(isOver)
        #expect(log.entry(3)?.provenance == .trusted(look: 3))
        #expect(log.entry(4)?.provenance == .decided(look: 9))
    }

    @Test func aClockThatJumpsByMonthsKeepsTheTime() throws {
        var log = ExpirationLog()
        let later = 1_000 + UInt64(UInt32.max) + 5
        log.add("a", 1, now: 1_000)
        log.add("b", 2, now: later)
        #expect(log.entry(1)?.receivedAt == 1_000)
        #expect(log.entry(2)?.receivedAt == later)
    }

    @Test(arguments: [1, 2, 7, 12, 13, 64])
    func chunkBoundariesAreInvisible(_ chunkBytes: Int) {
        var log = ExpirationLog(chunkBytes: chunkBytes)
        let keys = (1...50).map { Array(repeating: UInt8($0), count: $0 % 13) }
        for (index, key) in keys.enumerated() { log.add(key, UInt64(index + 1)) }
        for start in 0...50 {
            #expect(log.ordinals(after: UInt64(start)) == (1...50).filter { $0 > start }.map(UInt64.init))
            #expect(log.keys(after: UInt64(start)) == Array(keys[start...]))
        }
        for ordinal in UInt64(1)...50 { #expect(log.entry(ordinal)?.ordinal == ordinal) }
    }

    @Test func aVisitEndsWhenItIsTold() {
        var log = ExpirationLog(chunkBytes: 4)
        for number in UInt64(1)...20 { log.add("key", number) }
        var seen: [UInt64] = []
        log.forEach(after: 3) { entry, _ in
            seen.append(entry.ordinal)
            return entry.ordinal < 9
        }
        #expect(seen == Array(4...9))
    }

    @Test func anEntryCostsItsKeyAndLessThan24Bytes() {
        var log = ExpirationLog()
        var keyBytes = 0
        for number in UInt64(1)...10_000 {
            let key = Array(repeating: UInt8(1), count: Int(number % 40))
            keyBytes += key.count
            log.add(key, number)
        }
        #expect(log.bytes >= keyBytes)
        #expect(log.bytes <= keyBytes + 24 * 10_000)
    }

    // MARK: - Numbering

    @Test func theFirstMarkNumbersWhatIsWaiting() {
        var log = ExpirationLog(chunkBytes: 8)
        for index in UInt64(1)...30 { log.add("key", index, isNumbered: false) }
        #expect(log.ordinals().isEmpty, "nobody may read what has no ordinal yet")
        #expect(log.firstOrdinal == nil)
        #expect(log.entry(1) == nil)
        log.number(from: 100)
        #expect(log.ordinals() == Array(101...130))
        #expect(log.firstOrdinal == 101)
        #expect(log.lastOrdinal == 130)
    }

    @Test func whatWasNeverNumberedIsDroppedAlone() {
        var log = ExpirationLog(chunkBytes: 8)
        for number in UInt64(1)...10 { log.add("key", number) }
        let before = log.bytes
        for index in UInt64(1)...7 { log.add("lost", index, isNumbered: false) }
        #expect(log.dropUnnumbered() == 7)
        #expect(log.dropUnnumbered() == 0)
        #expect(log.count == 10)
        #expect(log.bytes == before)
        log.add("next", 30)
        #expect(log.ordinals() == Array(1...10) + [30])
    }

    @Test func holesSplitTheLog() {
        var log = ExpirationLog()
        for number: UInt64 in [5, 6, 7, 10, 11, 20] { log.add("key", number) }
        #expect(log.ordinals(after: 6) == [7, 10, 11, 20])
        #expect(log.ordinals(after: 8) == [10, 11, 20])
        #expect(log.ordinals(after: 11) == [20])
        #expect(log.ordinals(after: 20).isEmpty)
        for missing: UInt64 in [4, 8, 9, 12, 19, 21] { #expect(log.entry(missing) == nil) }
    }
}
