import NIOCore
import RESP
import Testing

@testable import Lapse

struct RepairTests {
    @Test(arguments: ["a", "host-1:2", "x:y:z"]) func aRequestReadsAsItWasWritten(asker: String) {
        let request = RepairRequest(nonce: "1f", asker: asker, runID: "abc", ordinals: 3...9)
        #expect(RepairRequest(request.text) == request)
    }

    @Test(arguments: [
        "", "repair:", "repair:1:abc:5:a", "repair:1:abc:9-5:a", "repair:1:abc:0-5:a",
        "repair:1:abc:1-18446744073709551615:a", "repair:1:abc:1-9007199254740992:a", "repair:1}:abc:1-5:a",
        "repair:1:abc:x-y:a", "released",
    ]) func whatIsNoRequestIsRefused(text: String) {
        #expect(RepairRequest(text) == nil)
    }

    @Test func answersTravelByteForByte() throws {
        let heard = [
            HeardExpiration(ordinal: 1, database: 0, receivedAt: 5, key: []),
            HeardExpiration(
                ordinal: PlausibleCount.limit - 1, database: 15, receivedAt: PlausibleCount.limit - 1,
                standing: .disowned, key: [0, 10, 13, 255]),
        ]
        let done = RepairAnswer.done(
            replica: "a:1", processes: [HeardProcess(runID: "aa", node: "[::1]:1"), HeardProcess(runID: "", node: "é")])
        for answer in [
            .heard(heard), .heard([]), done, .done(replica: "", processes: []), .more(replica: "b:2", through: 7),
        ] {
            #expect(RepairAnswer(ByteBuffer(bytes: answer.bytes)) == answer)
        }
        for length in Array(1..<done.bytes.count) where ![8, 25].contains(length) {
            #expect(RepairAnswer(ByteBuffer(bytes: done.bytes.prefix(length))) == nil, "cut at \(length)")
        }
        let whole = RepairAnswer.heard(heard).bytes
        for length in [0] + Array(2..<whole.count) where length != 1 + 23 {
            #expect(RepairAnswer(ByteBuffer(bytes: whole.prefix(length))) == nil, "cut at \(length)")
        }
    }

    private func key(_ ordinal: UInt64) -> [UInt8] { Array("k:\(ordinal)".utf8) }

    private func append(_ log: inout ExpirationLog, _ ordinals: ClosedRange<UInt64>) {
        for ordinal in ordinals {
            log.append(
                unsafe key(ordinal).span.bytes, database: 0, number: ordinal, isNumbered: true, now: 1000,
                provenance: .trusted(look: 1))
        }
    }

    @Test("What a peer heard goes where it belongs; what is there already is not put in twice")
    func insertion() {
        var log = ExpirationLog(chunkBytes: 64)
        append(&log, 1...10)
        append(&log, 21...40)
        let before = log.bytes
        let heard = (5...25).map { HeardExpiration(ordinal: $0, database: 3, receivedAt: 990, key: key($0)) }
        #expect(log.insert(heard, provenance: .trusted(look: 2)) == 10)
        #expect(log.count == 40)
        var seen: [UInt64] = []
        log.forEach(after: 0) { entry, bytes in
            seen.append(entry.ordinal)
            #expect([UInt8](copying: bytes) == key(entry.ordinal))
            #expect(entry.isRepaired == (11...20).contains(entry.ordinal))
            return true
        }
        #expect(seen == Array(1...40))
        // What comes later does not join what was put in.
        append(&log, 41...41)
        #expect(log.entry(41)?.isRepaired == false)
        #expect(log.bytes > before)
        log.trim(through: 41)
        #expect(log.count == 0 && log.bytes == 0)
    }

    @Test func aHoleBeforeTheFirstEntryIsFilled() {
        var log = ExpirationLog()
        append(&log, 50...52)
        let heard = [48, 49].map { HeardExpiration(ordinal: $0, database: 0, receivedAt: 2000, key: key($0)) }
        #expect(log.insert(heard, provenance: .trusted(look: 2)) == 2)
        #expect(log.firstOrdinal == 48)
    }
}
