import FoundationEssentials
import Testing

@testable import Lapse
@testable import RESP

struct LogSliceTests {
    private static let node = NodeProcess(runID: "run", node: "10.0.0.1:6379")

    private static func key(_ ordinal: UInt64) -> [UInt8] {
        Array("key:\(ordinal):".utf8) + Array(repeating: 7, count: Int(ordinal * 37 % 90))
    }

    /// Ordinals 1 to 200 received one after the other, in chunks of a kilobyte.
    private let log = {
        var log = ExpirationLog(chunkBytes: 1 << 10)
        for ordinal in UInt64(1)...200 {
            let key = Self.key(ordinal)
            // Unsafe in name only: a byte has no padding.
            log.append(
                unsafe key.span.bytes, database: UInt16(ordinal % 3), number: ordinal, isNumbered: true, now: ordinal,
                provenance: .vouched)
        }
        return log
    }()

    @Test func aCopyIsWhatTheLogHolds() {
        for begin in UInt64(1)...200 {
            let chunk = log.copy(from: begin, upTo: 20, bytes: 500)
            #expect(chunk.first == begin && (1...20).contains(chunk.count))
            let slice = LogSlice(chunk, of: Self.node, since: 100)
            for index in 0..<chunk.count {
                let ordinal = begin + UInt64(index)
                #expect(slice.ordinal(index) == ordinal)
                #expect(slice.withKey(index) { [UInt8](copying: $0) } == Self.key(ordinal))
                #expect(slice.database(index) == UInt16(ordinal % 3))
                #expect(slice.received(index) == ordinal)
                #expect(slice.origin(index) == (ordinal < 100 ? .takeover : .live))
            }
            let bytes = (begin...chunk.last).reduce(0) { $0 + Self.key($1).count }
            #expect(chunk.count == 1 || bytes <= 500)
        }
    }

    @Test func oneLongKeyIsCopiedWhole() {
        #expect(log.copy(from: 7, upTo: 20, bytes: 1).count == 1)
    }

    @Test func aCopyOutlivesItsLog() {
        var log = log
        let chunk = log.copy(from: 5, upTo: 3, bytes: 500)
        log.trim(through: 200)
        #expect(chunk.withKey(2) { [UInt8](copying: $0) } == Self.key(7))
    }

    @Test(arguments: ExpirationOrigin.allCases)
    func anExpirationAloneKeepsWhatItWasMadeOf(_ origin: ExpirationOrigin) {
        func expiration(_ key: String = "session:1", value: [UInt8]? = nil) -> Expiration {
            Expiration(
                key: ExpirationKey(key), database: 3, process: Self.node, ordinal: origin == .reconcile ? 0 : 9,
                origin: origin, receivedMilliseconds: 5_000, value: value)
        }
        let one = expiration()
        #expect(one.key == ExpirationKey("session:1") && one.database == 3 && one.node == Self.node.node)
        #expect(one.origin == origin && one.receivedAt.timeIntervalSince1970 == 5)
        #expect(one.position == Position(runID: "run", ordinal: origin == .reconcile ? 0 : 9))
        #expect(one == expiration() && one.hashValue == expiration().hashValue)
        #expect(one != expiration("session:2") && one != expiration(value: []))
    }

    @Test func theSameOneIsEqualInAnySlice() {
        let long = LogSlice(log.copy(from: 3, upTo: 9, bytes: 500), of: Self.node, since: 0)
        let short = LogSlice(log.copy(from: 5, upTo: 1, bytes: 500), of: Self.node, since: 0)
        #expect(Expiration(long, 2) == Expiration(short, 0))
        #expect(Expiration(long, 1) != Expiration(short, 0))
    }
}
