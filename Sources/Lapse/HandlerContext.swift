public import LeaderElection
public import Logging

/// What a handler is told besides the expiration.
public struct HandlerContext: Sendable {
    /// Grows strictly from leader to leader: hand it to every resource that can reject a smaller one.
    public let fencingToken: FencingToken
    /// The leader's term.
    public let term: UInt64
    /// 1 for the first attempt.
    public var attempt: Int { work.attempt }
    let work: Work
    let plainLogger: Logger
    let lease: Lease

    /// For the handler's own lines; carries key, node and term. Made when asked for: most handlers log nothing.
    public var logger: Logger {
        var logger = plainLogger
        logger[metadataKey: "key"] = "\(work.key)"
        logger[metadataKey: "node"] = "\(work.node)"
        logger[metadataKey: "term"] = "\(term)"
        return logger
    }

    /// Until when this replica may act as the leader, unless the lease is renewed meanwhile.
    public var leadUntil: ContinuousClock.Instant { lease.leadUntil }

    /// Whether this replica may still act as the leader: ask before an effect that cannot check the token.
    public var isLeading: Bool { lease.isValid }
}

/// Handles one expiration. A throw is retried; the task is cancelled at the timeout and when the term ends.
public typealias ExpirationHandler = @Sendable (Expiration, HandlerContext) async throws -> Void
