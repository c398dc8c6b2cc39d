public import LeaderElection
public import Logging
import Timing

extension HandlerContext {
    /// What a processor would hand to a handler with this expiration, for tests of the handler.
    ///
    /// ```swift
    /// let expiration = Expiration(key: ExpirationKey("cart:42"))
    /// try await handler(expiration, .testing(expiration, token: FencingToken(rawValue: 7)))
    /// ```
    ///
    /// - Parameters:
    ///   - expiration: what the handler is called with.
    ///   - token: the term's fencing token.
    ///   - term: the term's number.
    ///   - attempt: 1 for the first.
    ///   - lead: how long ``isLeading`` is true from now on; zero or less for a lease that has run out.
    ///   - logger: what ``logger`` derives from.
    public static func testing(
        _ expiration: Expiration, token: FencingToken = FencingToken(rawValue: 1), term: UInt64 = 1, attempt: Int = 1,
        leadingFor lead: Duration = .seconds(8), logger: Logger = Logger(label: "test")
    ) -> HandlerContext {
        var delivery = expiration.delivery
        for _ in 1..<max(1, attempt) { delivery = delivery.again }
        var deliveries = DeliveryList()
        deliveries.append(delivery)
        return HandlerContext(round: LaneRound(Batch(deliveries), .testing(token, term, lead), logger), index: 0)
    }
}

extension BatchContext {
    /// What a processor would hand to a batch handler, for tests of it.
    ///
    /// - Parameters:
    ///   - token: the term's fencing token.
    ///   - term: the term's number.
    ///   - lead: how long ``isLeading`` is true from now on; zero or less for a lease that has run out.
    ///   - logger: what ``logger`` derives from.
    public static func testing(
        token: FencingToken = FencingToken(rawValue: 1), term: UInt64 = 1, leadingFor lead: Duration = .seconds(8),
        logger: Logger = Logger(label: "test")
    ) -> BatchContext {
        BatchContext(.testing(token, term, lead), logger)
    }
}

extension Term {
    fileprivate static func testing(_ token: FencingToken, _ number: UInt64, _ lead: Duration) -> Term {
        let claim = Claim(name: "test", id: "test", value: "test:1", ttl: max(lead, .zero), rules: "")
        return Term(
            number: number, token: token, lease: Lease(until: SystemClock.read().advanced(by: lead)), claim: claim)
    }
}

extension Expiration {
    var delivery: Delivery {
        // Unsafe in name only: a byte has no padding.
        let hash = unsafe KeyHash(key.bytes.span.bytes, database: UInt16(database))
        return Delivery(slice, DeliveryEntry(index, hash))
    }
}
