import Testing

@testable import Lapse

/// Who led, as two sources tell it at different times, and what an answer and a ledger hold at most.
@Suite struct TraceLimitsTests {
    private func replica(_ token: UInt64, _ ledger: TraceLedger) -> String? { ledger.content.leaders[token]?.replica }

    @Test("the next leader's name that comes before its token takes no token of the last one")
    func nameAheadOfToken() {
        let ledger = TraceLedger()
        ledger.saw(.init(replica: "a", term: 1), token: 10)
        ledger.saw(.init(replica: "b", term: 1), token: 10)
        ledger.saw(.init(replica: "b", term: 2), token: 11)
        #expect(replica(10, ledger) == "a" && replica(11, ledger) == "b")
        // Late words of the last one.
        ledger.saw(.init(replica: "b", term: 1), token: 10)
        ledger.saw(.init(replica: "b", term: 1), token: 10)
        #expect(replica(10, ledger) == "a")
    }

    @Test("the last leader's name that stays behind its token is put right, and an own term never")
    func nameBehindToken() {
        let ledger = TraceLedger()
        ledger.saw(.init(replica: "a", term: 2), token: 11)
        ledger.saw(.init(replica: "b", term: 2), token: 11)
        #expect(replica(11, ledger) == "a")
        ledger.saw(.init(replica: "b", term: 2), token: 11)
        #expect(replica(11, ledger) == "b")
        ledger.saw(.init(replica: "b", term: 3), token: 11)
        #expect(ledger.content.leaders[11]?.term == 3, "the number of a term may come late")
        ledger.began(term: 4, token: 12, id: "c", found: [:], now: 0)
        for _ in 0..<3 { ledger.saw(.init(replica: "b", term: 4), token: 12) }
        #expect(replica(12, ledger) == "c")
    }

    @Test("what all terms found is bounded in sum, the oldest is let go, and tells nothing then")
    func pending() {
        let ledger = TraceLedger()
        for term in 1...8 as ClosedRange<UInt64> {
            let cursor = Cursor(through: 20_000, pending: PendingOrdinals((1...9000).map { $0 * 2 }))
            let progress = Progress(runID: "run", node: "n", base: 0, cursor: cursor, token: term, write: 1)
            ledger.began(term: term, token: term, id: "a", found: ["run": progress], now: term)
            let sum = ledger.content.terms.reduce(0) { $0 + ($1.found?["run"]?.cursor.pending.count ?? 0) }
            #expect(sum <= 30_000)
        }
        #expect(ledger.content.terms.map { $0.found != nil } == [false, false, false, false, false, true, true, true])
    }

    @Test("an answer that is too long is cut until it fits, and says so")
    func longAnswer() throws {
        func step(_ number: Int) -> TraceAnswer.Step {
            // Six bytes each in JSON.
            let error = String(repeating: "\u{1}", count: TraceLedger.textLimit)
            return .init(what: "failed", at: UInt64(number), term: 1, token: 1, attempt: number, error: error)
        }
        func answer(runID: String) -> TraceAnswer {
            let occurrences = (1...TraceAnswer.occurrenceLimit).map { number in
                TraceAnswer.Occurrence(
                    node: "n", runID: runID, ordinal: UInt64(number), database: 0, heardAt: 0, isRepaired: false,
                    standing: nil, steps: (1...TraceAnswer.stepLimit).map(step), found: [])
            }
            return TraceAnswer(
                replica: "a", version: "1", isLeader: true, since: 1, now: 2, occurrences: occurrences, losses: [])
        }
        let bytes = try #require(answer(runID: "run").json)
        #expect(String(decoding: bytes, as: UTF8.self).contains(#""runId":"run""#), "replicas of other builds read it")
        let short = try #require(TraceAnswer(json: bytes))
        #expect(short.occurrences.count == TraceAnswer.occurrenceLimit && short.isCut == true)
        #expect(short.occurrences.allSatisfy { $0.steps.count == TraceAnswer.stepLimit })
        // The newest stay.
        let huge = try #require(
            answer(runID: String(repeating: "r", count: 40_000)).json.flatMap { TraceAnswer(json: $0) })
        #expect(huge.isCut == true && huge.occurrences.map(\.ordinal) == [13, 14, 15, 16])
        let none = try #require(
            answer(runID: String(repeating: "r", count: 300_000)).json.flatMap { TraceAnswer(json: $0) })
        #expect(none.isCut == true && none.occurrences.isEmpty && none.replica == "a")
        #expect(TraceAnswer.nothing("a").isCut == nil)
    }

    @Test("steps of many expirations are found in one pass, each the oldest first, also where the ring has turned")
    func manySteps() {
        var trail = HandlingTrail(limit: 4)
        let process = Delivery.some("k", 1).slice.process
        for number in 1...6 as ClosedRange<UInt64> {
            trail.note(.handedOut, DeliveryList([.some("k", number % 2 + 1)]), token: number, now: number)
        }
        let found = trail.steps(of: [(process, 2), (process, 9), (process, 1)])
        #expect(found.map { $0.map(\.at) } == [[3, 5], [], [4, 6]])
    }
}
