package import Lapse
import LeaderElection
import Synchronization
import Timing

/// Posts several expirations of a node in one request, as an array of what ``WebhookHandler`` posts.
///
/// An attempt again is the same request: the same `webhook-id`, the same body. The answer is about all
/// of it.
package final class WebhookBatchHandler: Sendable {
    /// The most in one request.
    package static let limit = ExpirationBatch.limit

    /// In one request.
    package let size: Int
    private let handler: WebhookHandler
    private let posted: Mutex<PostedBatches>

    /// - Parameters:
    ///   - size: the most in one request.
    ///   - retries: what the processor is configured with.
    ///   - memory: the most bytes of what waits for another attempt.
    package init(_ handler: WebhookHandler, size: Int, retries: Int, memory: Int = 64 << 20) {
        self.handler = handler
        self.size = size
        posted = Mutex(PostedBatches(retries: retries, limit: memory))
    }

    package func shutDown() async { await handler.shutDown() }

    @Sendable package func callAsFunction(_ batch: ExpirationBatch, _ context: BatchContext) async throws -> BatchResult
    {
        try await post(batch[...], of: batch, context)
    }

    /// It comes in no batch again: it was given up, perhaps before its attempts were over.
    @Sendable package func buried(_ expiration: Expiration) {
        let id = WebhookHandler.id(expiration)
        posted.withLock { $0.forget(id) }
    }

    private func post(
        _ part: Slice<ExpirationBatch>, of batch: ExpirationBatch, _ context: BatchContext
    ) async throws -> BatchResult {
        let ids = part.map(WebhookHandler.id)
        let attempt = part.indices.map { batch.attempt(at: $0) }.max() ?? 1
        let step = posted.withLock { posted in
            posted.step(
                ids, attempt: attempt, token: context.fencingToken.rawValue, now: SystemClock.read().monotonic
            ) { body(part, of: batch, ids, context) }
        }
        switch step {
        case .full:
            // The first one alone, so that something goes on. What becomes of it says nothing about the others:
            // they were not posted.
            var result = BatchResult.handled
            do { result = try await post(batch.prefix(1), of: batch, context) } catch { result.fail(0, error) }
            for index in 1..<batch.count { result.fail(index, NoRoom()) }
            return result
        case .answered(nil): return .handled
        case .answered(let failure?): throw failure
        case .post(let request):
            let failure: WebhookFailed?
            do { failure = try await post(request, context, attempt: attempt) } catch {
                // The timeout's or the term's end: an attempt that brought nothing.
                note(request, ids, attempt, .init(description: "no answer in time", anotherAttempt: .asConfigured))
                throw error
            }
            note(request, ids, attempt, failure)
            if let failure { throw failure }
            return .handled
        }
    }

    private func note(_ request: PostedBatches.Request, _ ids: [String], _ attempt: Int, _ failure: WebhookFailed?) {
        posted.withLock { $0.ended(request, ids, attempt: attempt, failure) }
    }

    private func post(
        _ request: PostedBatches.Request, _ context: BatchContext, attempt: Int
    ) async throws -> WebhookFailed? {
        let request = handler.request(
            request.id, request.body, term: context.term, token: context.fencingToken, attempt: attempt)
        // A process that was stopped meanwhile must not begin; what is on its way carries the token.
        guard context.isLeading else { throw CancellationError() }
        return try await handler.answer(request).failure
    }

    private func body(
        _ part: Slice<ExpirationBatch>, of batch: ExpirationBatch, _ ids: [String], _ context: BatchContext
    ) -> [UInt8] {
        var format = handler.format(term: context.term, token: context.fencingToken)
        var body = [UInt8(ascii: "[")]
        for (index, id) in zip(part.indices, ids) {
            if index > part.startIndex { body.append(UInt8(ascii: ",")) }
            body += WebhookHandler.event(batch[index], id: id, attempt: batch.attempt(at: index), &format)
        }
        body.append(UInt8(ascii: "]"))
        return body
    }

    /// Too many wait for another attempt: no more can be remembered.
    private struct NoRoom: Error, CustomStringConvertible, AdvisesOnAttempts {
        let description = "too many batches wait for another attempt"
        let anotherAttempt = AnotherAttempt.whenPossible(after: .seconds(1), others: false)
    }
}
