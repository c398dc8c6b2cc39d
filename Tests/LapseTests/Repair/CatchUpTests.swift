import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

/// I12: what a replica asks its peers for so that it can take over at any time, and when it asks
/// nothing.
struct CatchUpTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    /// A newcomer, whose feed began when the node had expired so many.
    private func join(at counter: UInt64) {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        log.markForTests(counter)
    }

    private func progress(_ through: UInt64, pending: PendingOrdinals = []) -> [String: Progress] {
        [
            "run": Progress(
                runID: "run", node: "\(node)", base: 0, cursor: Cursor(through: through, pending: pending), token: 1,
                write: 1)
        ]
    }

    private func insert(_ ordinals: some Sequence<UInt64>) {
        let heard = ordinals.map { HeardExpiration(ordinal: $0, database: 0, receivedAt: 1, key: Array("k".utf8)) }
        _ = logs["run"]?.insert(heard, look: 0, now: 1)
    }

    @Test("row 105: who joins asks for what lies between the progress and its first mark, pending ones too")
    func aNewcomer() throws {
        join(at: 100)
        var catchUp = CatchUp()
        let hole = try #require(catchUp.next(logs, progress(40, pending: [30]), peers: ["b"]).first)
        #expect(hole.ordinals == 30...100)
        #expect(!catchUp.isWhole(logs, progress(40, pending: [30])))
        let twice = catchUp.next(logs, progress(40, pending: [30]), peers: ["b"])
        #expect(twice.isEmpty, "it is being asked")
        insert(30...60)
        catchUp.settle(hole, .cut(through: 60), logs)
        let rest = try #require(catchUp.next(logs, progress(50), peers: ["b"]).first)
        #expect(rest.ordinals == 61...100)
        insert(61...90)
        catchUp.settle(rest, .answered, logs)
        let hopeless = catchUp.next(logs, progress(50), peers: ["b"])
        #expect(hopeless.isEmpty, "no peer has the last ten")
        #expect(catchUp.isWhole(logs, progress(50)))
        let again = catchUp.next(logs, progress(50), peers: ["b", "c"])
        #expect(again.first?.ordinals == 91...100, "another replica has come")
    }

    @Test("what lies behind a part of a gap that was never announced is asked for all the same")
    func aGapOfSeveralKinds() throws {
        join(at: 100)
        let log = try #require(logs["run"])
        let counted = log.markForTests(110, flagsWereFine: true)
        #expect(counted == .missed(101...110))
        log.subscriptionEnded(now: 1_000)
        log.subscriptionBegan()
        log.markForTests(200)
        var catchUp = CatchUp()
        #expect(!catchUp.isWhole(logs, progress(100)))
        let hole = try #require(catchUp.next(logs, progress(100), peers: ["b"]).first)
        #expect(hole.ordinals == 111...200)
        // No peer has the first of it either.
        catchUp.settle(hole, .cut(through: 150), logs)
        #expect(!catchUp.isWhole(logs, progress(100)))
        let rest = try #require(catchUp.next(logs, progress(100), peers: ["b"]).first)
        #expect(rest.ordinals == 151...200)
        insert(151...200)
        catchUp.settle(rest, .answered, logs)
        #expect(catchUp.isWhole(logs, progress(100)))
    }

    @Test("however many gaps no peer can fill, the one behind them is asked for")
    func manyHopelessGaps() throws {
        join(at: 332)
        insert(stride(from: 2, through: 332, by: 2))
        var catchUp = CatchUp()
        for ordinal in stride(from: 1 as UInt64, through: 331, by: 2) {
            #expect(!catchUp.isWhole(logs, progress(0)))
            let hole = try #require(catchUp.next(logs, progress(0), peers: ["b"]).first)
            #expect(hole.ordinals == ordinal...ordinal)
            catchUp.settle(hole, .answered, logs)
        }
        #expect(catchUp.isWhole(logs, progress(0)))
    }

    @Test("at rest nothing is asked: without a hole, without progress, without a peer")
    func atRest() {
        join(at: 100)
        var catchUp = CatchUp()
        let asked = [
            catchUp.next(logs, progress(100), peers: ["b"]), catchUp.next(logs, [:], peers: ["b"]),
            catchUp.next(logs, progress(40), peers: []),
        ]
        let isNothingAsked = asked.allSatisfy { $0.isEmpty }
        #expect(isNothingAsked)
    }

    @Test("peers that keep silent are asked ever more rarely")
    func silence() {
        join(at: 100)
        var catchUp = CatchUp()
        var questions = 0
        for _ in 0..<60 {
            for hole in catchUp.next(logs, progress(40), peers: ["b"]) {
                questions += 1
                catchUp.settle(hole, .unanswered, logs)
            }
        }
        #expect((4...10).contains(questions), "\(questions)")
    }
}

extension NodeLog {
    /// Numbers the subscription as a mark does.
    @discardableResult
    fileprivate func markForTests(_ counter: UInt64, flagsWereFine: Bool = false) -> Numbering.Finding? {
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        RESPCommand("message", "lapse:test", "nonce").encode(into: &bytes)
        try? reader.read(bytes) { batch in
            _ = take(batch, now: 1_000, look: 0) { _ in pinMark() }
        }
        return resolve(counter: counter, flagsWereFine: flagsWereFine)
    }
}
