import LeaderElection
import Testing

@testable import Lapse

struct ExpirationLogBoundsTests {
    /// Ten chunks of five entries with 8 bytes of key each, a second apart.
    private func filled() -> ExpirationLog {
        var log = ExpirationLog(chunkBytes: 40)
        for number in UInt64(1)...50 { log.add("8 bytes.", number, now: 10_000 + 1_000 * ((number - 1) / 5)) }
        return log
    }

    @Test func whatIsFinishedGoesByWholeChunks() {
        var log = filled()
        log.trim(through: 4)
        #expect(log.firstOrdinal == 1, "the chunk holds one that is not finished")
        log.trim(through: 5)
        #expect(log.firstOrdinal == 6)
        #expect(log.count == 45)
        log.trim(through: 23)
        #expect(log.ordinals() == Array(21...50))
        log.trim(through: 1_000)
        #expect(log.count == 0)
        #expect(log.bytes == 0)
        log.add("more", 51)
        #expect(log.ordinals() == [51])
    }

    @Test func theBoundInBytesCountsWhatItDrops() {
        var log = filled()
        let chunk = log.bytes / 10
        #expect(log.trim(toBytes: log.bytes, oldest: 0).isEmpty)
        let dropped = log.trim(toBytes: chunk * 7 + 1, oldest: 0)
        #expect(dropped == [1...5, 6...10, 11...15])
        #expect(log.bytes == chunk * 7)
        #expect(log.count == 35)
        #expect(log.ordinals() == Array(16...50))
        #expect(log.trim(toBytes: 0, oldest: 0).count == 6, "the newest chunk stays, however small the bound")
        #expect(log.ordinals() == Array(46...50))
    }

    @Test func theBoundInAgeCountsWhatItDrops() {
        var log = filled()
        #expect(log.trim(toBytes: .max, oldest: 10_000).isEmpty, "exactly as old as allowed")
        #expect(log.trim(toBytes: .max, oldest: 10_001) == [1...5])
        #expect(log.trim(toBytes: .max, oldest: 13_500) == [6...10, 11...15, 16...20])
        #expect(log.count == 30)
    }

    @Test func whatHasNoNumberIsBoundedToo() {
        var log = ExpirationLog(chunkBytes: 40)
        for index in UInt64(1)...50 { log.add("8 bytes.", index, isNumbered: false) }
        let limit = log.bytes / 2
        _ = log.trim(toBytes: limit, oldest: 0)
        #expect(log.bytes <= limit, "a node whose marks never come must not fill the memory")
        log.number(from: 100)
        #expect(log.ordinals() == Array(126...150), "what was dropped is a hole of exact size")
    }

    @Test("row 50: large keys have a quarter of the log; beyond it the oldest of them go, and no others")
    func largeKeys() {
        var log = ExpirationLog(chunkBytes: 100)
        for ordinal in UInt64(1)...40 { log.add("8 bytes.", ordinal) }
        let small = log.bytes
        for ordinal in UInt64(41)...60 { log.add(Array(repeating: 1, count: 400), ordinal) }
        log.add("8 bytes.", 61)
        let limit = small + 2_000
        let gone = log.trim(toBytes: limit, oldest: 0)
        #expect(log.ordinals().filter { $0 <= 40 } == Array(1...40), "no small one was pushed out")
        #expect(gone.allSatisfy { (41...60).contains($0.lowerBound) } && gone.count == 60 - 41 + 1 + 41 - log.count)
        #expect(log.bytes <= limit && log.entry(60) != nil, "the newest of the large ones stay")
        #expect(log.gaps(in: 1...61, upTo: 9) == [41...(41 + UInt64(gone.count) - 1)])
        // Where most keys are large, they may fill the log.
        var large = ExpirationLog(chunkBytes: 100)
        for ordinal in UInt64(1)...50 { large.add(Array(repeating: 1, count: 400), ordinal) }
        _ = large.trim(toBytes: 10_000, oldest: 0)
        #expect(large.bytes > 9_000 && large.entry(50) != nil)
    }

    @Test(arguments: 0..<8)
    func agreesWithAnArray(_ seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var log = ExpirationLog(chunkBytes: Int.random(in: 1...100, using: &random))
        var model: [(ordinal: UInt64, key: [UInt8])] = []
        var next: UInt64 = 1
        for _ in 0..<600 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0: next += UInt64.random(in: 1...9, using: &random)
            case 1:
                let through = UInt64.random(in: 0...next, using: &random)
                log.trim(through: through)
                // Whole chunks only: what stays longer than it must is the log's business.
                let first = log.firstOrdinal ?? next
                #expect(model.allSatisfy { $0.ordinal >= first || $0.ordinal <= through })
                model.removeAll { $0.ordinal < first }
            case 2:
                let gone = log.trim(toBytes: Int.random(in: 0...2_000, using: &random), oldest: 0)
                #expect(gone.reduce(0) { $0 + $1.count } == model.count - log.count)
                model.removeAll { entry in gone.contains { $0.contains(entry.ordinal) } }
            default:
                let byte = UInt8.random(in: 0...255, using: &random)
                let key = Array(repeating: byte, count: Int.random(in: 0...30, using: &random))
                log.add(key, next)
                model.append((next, key))
                next += 1
            }
            let start = UInt64.random(in: 0...next, using: &random)
            #expect(log.ordinals(after: start) == model.map(\.ordinal).filter { $0 > start })
            #expect(log.count == model.count)
        }
        #expect(log.keys() == model.map(\.key))
        #expect(log.bytes == model.reduce(0) { $0 + $1.key.count + 12 })
    }
}
