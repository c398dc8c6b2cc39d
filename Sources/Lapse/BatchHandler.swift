public import LeaderElection
public import Logging

/// What a batch handler is told besides the expirations.
public struct BatchContext: Sendable {
    /// Grows strictly from leader to leader: hand it to every resource that can reject a smaller one.
    public var fencingToken: FencingToken { current.token }
    /// The leader's term.
    public var term: UInt64 { current.number }
    /// For the handler's own lines; carries the term.
    public var logger: Logger {
        var logger = base
        logger[metadataKey: "term"] = .stringConvertible(term)
        return logger
    }

    /// Until when this replica may act as the leader, unless the lease is renewed meanwhile.
    public var leadUntil: ContinuousClock.Instant { current.lease.leadUntil }

    /// Whether this replica may still act as the leader. To be asked before each effect, and not once for a
    /// batch: a process that was stopped in the middle of one must not go on with it.
    public var isLeading: Bool { current.lease.isValid }

    private let current: Term
    private let base: Logger

    init(_ term: Term, _ logger: Logger) {
        current = term
        base = logger
    }
}

/// What became of a batch.
public struct BatchResult: Sendable {
    /// All of it is handled.
    public static let handled = BatchResult()

    /// Why some of it is not, by their index. Each is tried again alone, like a handler for one that
    /// throws.
    public private(set) var failures: [Int: any Error] = [:]

    /// All of it is handled so far.
    public init() {}

    /// What was handled is all before an index; the rest failed.
    ///
    /// - Parameters:
    ///   - end: the index of the first that failed, 0 or more.
    ///   - count: how many the batch holds.
    ///   - error: why the rest failed.
    public init(handledUpTo end: Int, of count: Int, error: any Error) {
        for index in end..<Swift.max(end, count) { failures[index] = error }
    }

    /// One of it is not handled. An index that the batch does not have fails all of it: which one was meant
    /// cannot be told.
    public mutating func fail(_ index: Int, _ error: any Error) { failures[index] = error }
}

/// Handles a batch of one node, and no other batch of that node meanwhile. A throw fails all of it; the
/// task is cancelled at the timeout and when the term ends.
///
/// A handler for one expiration gets many at once, in lanes, and only those of one key in their order.
/// A batch handler gets those of a node in its order, one call after the other: for sinks that are
/// cheaper for many at once, such as a write, a pipeline or a transaction. A batch is never waited for:
/// it holds what there is.
public typealias BatchHandler = @Sendable (ExpirationBatch, BatchContext) async throws -> BatchResult
