import FoundationEssentials
import Testing

@testable import Lapse
@testable import RESP

/// The deadlines that a leader knows stay beside their keys, wherever the log puts these.
struct KnownDeadlineTests {
    private struct Keys: KeyRun {
        var ordinals: Range<UInt64>

        var count: Int { ordinals.count }
        private func key(_ ordinal: UInt64) -> [UInt8] {
            Array(repeating: UInt8(ordinal & 63), count: Int(ordinal % 7))
        }
        func length(at index: Int) -> Int { key(ordinals.lowerBound + UInt64(index)).count }
        func withPayloads<Result>(_ body: (RawSpan) -> Result) -> Result {
            let bytes = ordinals.flatMap { key($0) }
            // Unsafe in name only: a byte has no padding.
            return body(unsafe bytes.span.bytes)
        }
    }

    private static func deadline(_ ordinal: UInt64) -> KnownDeadline? {
        ordinal % 5 == 0 ? nil : KnownDeadline(milliseconds: 1_000 + ordinal, lag: ordinal % 3)
    }

    private static func append(_ ordinals: Range<UInt64>, areKnown: Bool, to log: inout ExpirationLog) {
        log.append(
            Keys(ordinals: ordinals), database: 0, number: ordinals.lowerBound, isNumbered: true, now: 5_000,
            provenance: .vouched, deadlines: areKnown ? ordinals.map { deadline($0) ?? .none } : [])
    }

    @Test func eachStaysBesideItsKey() throws {
        var log = ExpirationLog(chunkBytes: 64)
        // 40 to 59 is heard without deadlines, 80 to 99 after what lies behind it.
        let stretches: [(Range<UInt64>, Bool)] = [
            (1..<2, true), (2..<40, true), (40..<60, false), (60..<80, true), (100..<130, true), (80..<100, true),
        ]
        for (ordinals, areKnown) in stretches { Self.append(ordinals, areKnown: areKnown, to: &log) }
        #expect(log.count == 129)
        #expect(log.bytes == log.chunks.reduce(0) { $0 + $1.bytes })
        #expect(log.reserved == log.chunks.reduce(0) { $0 + $1.reserved })
        for ordinal in UInt64(1)..<130 {
            let chunk = log.copy(from: ordinal, upTo: 9, bytes: 1_000)
            for index in 0..<chunk.count {
                let number = ordinal + UInt64(index)
                let expected = (40..<60).contains(number) ? nil : Self.deadline(number)
                #expect(chunk.deadline(index) == expected, "\(number)")
                #expect(chunk.keyBytes(index) == Int(number % 7))
            }
        }
        log.trim(through: 129)
        #expect(log.bytes == 0 && log.count == 0)
    }

    @Test func anExpirationTellsIt() throws {
        var log = ExpirationLog()
        Self.append(1..<6, areKnown: true, to: &log)
        let slice = LogSlice(
            log.copy(from: 1, upTo: 5, bytes: 1_000), of: NodeProcess(runID: "run", node: "n:1"), since: 0)
        let first = Expiration(slice, 1)
        #expect(first.deadline == Date(timeIntervalSince1970: 1.002) && first.lag == .milliseconds(2))
        #expect(Expiration(slice.alone(1), 0).lag == .milliseconds(2))
        #expect(Expiration(slice, 4).deadline == nil && Expiration(slice, 4).lag == nil)
    }

    @Test(arguments: [0, PlausibleCount.limit, .max]) func whatCannotBeTrueIsNotKnown(_ milliseconds: UInt64) {
        #expect(KnownDeadline(milliseconds: milliseconds, lag: 0) == nil)
        #expect(KnownDeadline(milliseconds: 1, lag: .max)?.lagMilliseconds == UInt64(UInt32.max))
    }
}
