import Foundation
import InMemoryTracing
import Testing
import Tracing

@testable import Lapse

/// What a tracer sees of the attempts of a handler.
struct AttemptSpansTests {
    private struct Refused: Error {}

    private let tracer = InMemoryTracer()
    private var spans: AttemptSpans { AttemptSpans(tracer: tracer, keys: .full) }
    private let due = Date(timeIntervalSince1970: 1_700_000_000)

    private func expiration(_ deadline: Date?) -> Expiration {
        Expiration(
            key: ExpirationKey("cart:42"), position: Position(runID: "run", ordinal: 7),
            receivedAt: due.addingTimeInterval(3), deadline: deadline, lag: .seconds(2))
    }

    @Test func aFirstAttemptBeginsAtTheDeadlineAndHoldsTheHandlersOwnSpans() async throws {
        let expiration = expiration(due)
        let handling = spans.around(.one { _, _ in tracer.withSpan("own") { _ in } })
        try await handling.ofOne(expiration, .testing(expiration, term: 3))
        let ended = tracer.finishedSpans
        let (own, span) = (try #require(ended.first), try #require(ended.last))
        #expect(ended.map(\.operationName) == ["own", "lapse.expiration"])
        #expect(own.traceID == span.traceID && own.parentSpanID == span.spanID)
        #expect(span.startInstant.nanosecondsSinceEpoch == 1_700_000_000_000_000_000 && span.kind == .consumer)
        #expect(span.attributes["lapse.key"]?.toSpanAttribute() == "cart:42")
        #expect(span.attributes["lapse.ordinal"]?.toSpanAttribute() == .int64(7))
        #expect(span.attributes["lapse.term"]?.toSpanAttribute() == .int64(3))
        #expect(span.attributes["lapse.lag_ms"]?.toSpanAttribute() == .int64(2_000))
        #expect(span.events.map(\.name) == ["handler"] && span.errors.isEmpty)
    }

    @Test func withoutADeadlineItBeginsWhenItWasHeardAndALaterAttemptWhenItBegins() async throws {
        let expiration = expiration(nil)
        let handling = spans.around(.one { _, _ in throw Refused() })
        for attempt in 1...2 {
            await #expect(throws: Refused.self) {
                try await handling.ofOne(expiration, .testing(expiration, attempt: attempt))
            }
        }
        let ended = tracer.finishedSpans
        #expect(ended.first?.startInstant.nanosecondsSinceEpoch == 1_700_000_003_000_000_000)
        #expect((ended.last?.startInstant.nanosecondsSinceEpoch ?? 0) > 1_700_000_003_000_000_000)
        #expect(ended.allSatisfy { $0.errors.count == 1 && $0.attributes["lapse.lag_ms"] == nil })
        #expect(ended.last?.attributes["lapse.attempt"]?.toSpanAttribute() == .int64(2))
    }

    @Test func aBatchIsOneSpanThatTellsHowManyFailed() async throws {
        let handler: BatchHandler = { batch, _ in
            BatchResult(handledUpTo: 1, of: batch.count, error: Refused())
        }
        guard
            case .batches(let traced, atOnce: 4, limit: 9, _) = spans.around(.batches(handler, atOnce: 4, limit: 9))
        else {
            Issue.record("it is no batch handler any more")
            return
        }
        let batch = ExpirationBatch(testing: [expiration(due), expiration(due), expiration(nil)])
        #expect(try await traced(batch, .testing()).failures.count == 2)
        let span = try #require(tracer.finishedSpans.first)
        #expect(span.operationName == "lapse.batch" && tracer.finishedSpans.count == 1)
        #expect(span.attributes["lapse.count"]?.toSpanAttribute() == .int64(3))
        #expect(span.attributes["lapse.failed"]?.toSpanAttribute() == .int64(2))
        #expect(span.attributes["lapse.key"] == nil && span.status?.code == .error && span.errors.count == 1)
    }

    @Test func keysAreShownAsTheLogShowsThem() async throws {
        for keys in [KeyDisclosure.hash, .off] {
            let handling = AttemptSpans(tracer: tracer, keys: keys).around(.one { _, _ in })
            try await handling.ofOne(expiration(nil), .testing(expiration(nil)))
        }
        let shown = tracer.finishedSpans.map { $0.attributes["lapse.key"]?.toSpanAttribute() }
        #expect(shown == [.string(KeyDisclosure.hash.text(ExpirationKey("cart:42"))), nil])
    }

    @Test func withoutATracerNothingIsAround() { #expect(AttemptSpans.ifTraced(.full).map(\.keys) == nil) }
}
