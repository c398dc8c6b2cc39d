public import LeaderElection
public import Logging

/// What a handler is told besides the expiration.
public struct HandlerContext: Sendable {
    /// Grows strictly from leader to leader: hand it to every resource that can reject a smaller one.
    public var fencingToken: FencingToken { around.term.token }
    /// The leader's term.
    public var term: UInt64 { around.term.number }
    /// 1 for the first attempt.
    public var attempt: Int { work.attempt }
    let around: TermOfLane
    let batch: Batch
    let index: Int
    private var work: Work { batch.works[index] }

    /// For the handler's own lines; carries key, node and term. Made when asked for: most handlers log nothing.
    public var logger: Logger {
        var logger = around.logger
        logger[metadataKey: "key"] = "\(work.key)"
        logger[metadataKey: "node"] = "\(work.node)"
        logger[metadataKey: "term"] = "\(term)"
        return logger
    }

    /// Until when this replica may act as the leader, unless the lease is renewed meanwhile.
    public var leadUntil: ContinuousClock.Instant { around.term.lease.leadUntil }

    /// Whether this replica may still act as the leader: ask before an effect that cannot check the token.
    public var isLeading: Bool { around.term.lease.isValid }
}

/// What all contexts of one lane share: one reference to count for each handler, and no other thread counts it.
final class TermOfLane: Sendable {
    let term: Term
    let logger: Logger

    init(_ term: Term, _ logger: Logger) {
        self.term = term
        self.logger = logger
    }
}

/// Handles one expiration. A throw is retried; the task is cancelled at the timeout and when the term ends.
public typealias ExpirationHandler = @Sendable (Expiration, HandlerContext) async throws -> Void
