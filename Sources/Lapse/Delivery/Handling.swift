/// How expirations are handled.
package enum Handling: Sendable {
    case one(ExpirationHandler)
    /// `atOnce` calls at most, each with a batch of another node; nil stands for the configured
    /// concurrency. A batch has no more than `limit`. `buried` is told which ones are given up, and come in
    /// no batch again.
    case batches(
        BatchHandler, atOnce: Int? = nil, limit: Int = NodeBatch.limit,
        buried: (@Sendable (Expiration) -> Void)? = nil)

    /// For lanes, which handle one at a time.
    var ofOne: ExpirationHandler {
        switch self {
        case .one(let handler): handler
        case .batches(let handler, _, _, _):
            { expiration, context in
                let batch = ExpirationBatch(context.deliveries, value: expiration.value)
                if let error = try await handler(batch, context.ofBatch).failures.values.first { throw error }
            }
        }
    }

    /// Nil where it need not know.
    var buried: (@Sendable (Expiration) -> Void)? {
        if case .batches(_, _, _, let buried) = self { buried } else { nil }
    }

    var order: DeliveryMachine.Order {
        switch self {
        case .one: .ofKeys
        case .batches: .ofNodes
        }
    }
}

extension HandlerContext {
    /// The expiration alone.
    fileprivate var deliveries: DeliveryList { round.batch.deliveries.part(index..<index + 1) }

    fileprivate var ofBatch: BatchContext { BatchContext(round.term, round.logger) }
}
