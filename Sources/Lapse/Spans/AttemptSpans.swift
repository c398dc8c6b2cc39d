import LeaderElection
import Tracing

/// A span for each attempt of a handler, where the program has bootstrapped a tracer.
///
/// The span of a first attempt begins when the key was to expire, or else when it was heard of: what
/// passes before the handler begins is part of it, and the event `handler` marks the end of that. The
/// handler runs in the span's context.
struct AttemptSpans: Sendable {
    let tracer: any Tracer
    let keys: KeyDisclosure

    /// Nil without a tracer: an attempt then costs nothing more.
    static func ifTraced(_ keys: KeyDisclosure) -> AttemptSpans? {
        let tracer = InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : AttemptSpans(tracer: tracer, keys: keys)
    }

    /// The same handling, in spans.
    func around(_ handling: Handling) -> Handling {
        switch handling {
        case .one(let handler):
            .one { expiration, context in
                try await around(expiration, attempt: context.attempt, term: context.term) {
                    try await handler(expiration, context)
                }
            }
        case .batches(let handler, let atOnce, let limit, let buried):
            .batches({ try await around($0, $1, handler) }, atOnce: atOnce, limit: limit, buried: buried)
        }
    }

    /// - Parameter attempt: from 1.
    func around(
        _ expiration: Expiration, attempt: Int, term: UInt64, _ body: () async throws -> Void
    ) async throws {
        try await tracer.withAnySpan(
            "lapse.expiration", at: SpanInstant.begin(of: expiration, attempt), context: .current ?? .topLevel,
            ofKind: .consumer
        ) { span in
            describe(expiration, term, in: span)
            if keys != .off { span.attributes["lapse.key"] = keys.text(expiration.key) }
            span.attributes["lapse.origin"] = expiration.origin.rawValue
            span.attributes["lapse.attempt"] = attempt
            if let known = expiration.knownDeadline {
                span.attributes["lapse.lag_ms"] = Int(clamping: known.lagMilliseconds)
            }
            span.addEvent("handler")
            try await body()
        }
    }

    private func around(
        _ batch: ExpirationBatch, _ context: BatchContext, _ handler: BatchHandler
    ) async throws -> BatchResult {
        guard let first = batch.first else { return try await handler(batch, context) }
        return try await tracer.withAnySpan(
            "lapse.batch", at: SpanInstant.begin(of: first, batch.attempt(at: 0)), context: .current ?? .topLevel,
            ofKind: .consumer
        ) { span in
            describe(first, context.term, in: span)
            span.attributes["lapse.count"] = batch.count
            span.attributes["lapse.attempt"] = batch.attempt(at: 0)
            span.addEvent("handler")
            let result = try await handler(batch, context)
            if let failure = result.failures.min(by: { $0.key < $1.key }) {
                span.attributes["lapse.failed"] = result.failures.count
                span.recordError(failure.value)
                span.setStatus(SpanStatus(code: .error))
            }
            return result
        }
    }

    private func describe(_ expiration: Expiration, _ term: UInt64, in span: any Span) {
        span.attributes["lapse.node"] = expiration.node
        span.attributes["lapse.database"] = expiration.database
        span.attributes["lapse.run_id"] = expiration.runID
        span.attributes["lapse.ordinal"] = Int64(clamping: expiration.ordinal)
        span.attributes["lapse.term"] = Int64(clamping: term)
    }
}

/// When a span began, in nanoseconds since 1970.
struct SpanInstant: TracerInstant {
    var nanosecondsSinceEpoch: UInt64

    /// Of a first attempt the deadline, or else when it was heard of; of a later one now.
    static func begin(of expiration: Expiration, _ attempt: Int) -> SpanInstant {
        guard attempt == 1 else {
            return SpanInstant(nanosecondsSinceEpoch: DefaultTracerClock.now.nanosecondsSinceEpoch)
        }
        // What a server says may be any number.
        let began = expiration.knownDeadline?.milliseconds ?? expiration.receivedMilliseconds
        let (nanoseconds, overflowed) = began.multipliedReportingOverflow(by: 1_000_000)
        return SpanInstant(nanosecondsSinceEpoch: overflowed ? .max : nanoseconds)
    }

    static func < (left: SpanInstant, right: SpanInstant) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }
}
