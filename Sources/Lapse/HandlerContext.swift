public import LeaderElection
public import Logging

/// What a handler is told besides the expiration.
public struct HandlerContext: Sendable {
    /// Grows strictly from leader to leader: hand it to every resource that can reject a smaller one.
    public var fencingToken: FencingToken { round.term.token }
    /// The leader's term.
    public var term: UInt64 { round.term.number }
    /// 1 for the first attempt.
    public var attempt: Int { delivery.attempt }
    let round: LaneRound
    let index: Int

    private var delivery: Delivery { round.batch.deliveries[index] }

    /// For the handler's own lines; carries key, node and term. Made when asked for: most handlers log
    /// nothing.
    public var logger: Logger {
        var logger = round.logger
        logger[metadataKey: "key"] = "\(round.keys.text(delivery.key))"
        logger[metadataKey: "node"] = "\(delivery.node)"
        logger[metadataKey: "term"] = .stringConvertible(term)
        return logger
    }

    /// Until when this replica may act as the leader, unless the lease is renewed meanwhile.
    public var leadUntil: ContinuousClock.Instant { round.term.lease.leadUntil }

    /// Whether this replica may still act as the leader: ask before an effect that cannot check the token.
    public var isLeading: Bool { round.term.lease.isValid }
}

/// What the contexts of the handlers that a lane calls for one batch share: one reference to count for
/// each, and no other thread counts it.
final class LaneRound: Sendable {
    let term: Term
    let keys: KeyDisclosure
    let batch: Batch
    private let base: Base

    /// What its loggers derive from.
    private enum Base {
        case logger(Logger)
        /// Made when asked for.
        case context(WorkContext)
    }

    init(_ batch: Batch, _ term: Term, _ logger: Logger, _ keys: KeyDisclosure = .full) {
        self.keys = keys
        self.batch = batch
        self.term = term
        base = .logger(logger)
    }

    init(_ batch: Batch, _ term: Term, _ context: WorkContext, _ keys: KeyDisclosure) {
        self.keys = keys
        self.batch = batch
        self.term = term
        base = .context(context)
    }

    var logger: Logger {
        switch base {
        case .logger(let logger): logger
        case .context(let context): context.logger
        }
    }
}

/// Handles one expiration. A throw is retried; the task is cancelled at the timeout and when the term
/// ends.
public typealias ExpirationHandler = @Sendable (Expiration, HandlerContext) async throws -> Void
