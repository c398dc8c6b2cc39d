public import LeaderElection
public import Logging

/// Expirations of one node, in the order in which it announced them. A key may occur twice.
public struct ExpirationBatch: Sendable, RandomAccessCollection {
    /// The most that one batch holds.
    public static let limit = Batch.limit

    private let deliveries: DeliveryList
    /// Of a batch of one, its companion's.
    private let value: [UInt8]?

    init(_ deliveries: DeliveryList, value: [UInt8]? = nil) {
        self.deliveries = deliveries
        self.value = value
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// How many there are.
    public var endIndex: Int { deliveries.endIndex }

    /// One of them.
    public subscript(index: Int) -> Expiration {
        let expiration = deliveries.expiration(index)
        guard let value else { return expiration }
        return Expiration(expiration.slice, expiration.index, value: value)
    }

    /// 1 for the first attempt. What is tried again comes alone.
    public func attempt(at index: Int) -> Int { Int(deliveries.entry(index).attempt) }
}

extension ExpirationBatch {
    /// What no Redis announced, for tests of a handler.
    ///
    /// - Parameter expirations: at most ``limit``.
    public init(testing expirations: [Expiration]) {
        var deliveries = DeliveryList(reserving: expirations.count)
        for expiration in expirations.prefix(Self.limit) { deliveries.append(expiration.delivery) }
        self.init(deliveries, value: expirations.count == 1 ? expirations[0].value : nil)
    }
}

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

    /// Whether this replica may still act as the leader. To be asked before each effect, and not once for a batch: a process that was
    /// stopped in the middle of one must not go on with it.
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

    /// Why some of it is not, by their index. Each is tried again alone, like a handler for one that throws.
    public private(set) var failures: [Int: any Error] = [:]

    /// All of it is handled so far.
    public init() {}

    /// What was handled is all before an index; the rest failed.
    ///
    /// - Parameter count: of the batch.
    public init(handledUpTo end: Int, of count: Int, error: any Error) {
        for index in end..<Swift.max(end, count) { failures[index] = error }
    }

    /// One of it is not handled.
    public mutating func fail(_ index: Int, _ error: any Error) { failures[index] = error }
}

/// Handles a batch of one node, and no other batch meanwhile. A throw fails all of it; the task is cancelled at the timeout and when
/// the term ends.
///
/// A handler for one expiration gets many at once, in lanes, and only those of one key in their order. A batch handler gets those of
/// a node in its order, one call after the other: for sinks that are cheaper for many at once, such as a write, a pipeline or a
/// transaction. A batch is never waited for: it holds what there is.
public typealias BatchHandler = @Sendable (ExpirationBatch, BatchContext) async throws -> BatchResult

/// How expirations are handled.
package enum Handling: Sendable {
    case one(ExpirationHandler)
    case batches(BatchHandler)

    /// For lanes, which handle one at a time.
    var ofOne: ExpirationHandler {
        switch self {
        case .one(let handler): handler
        case .batches(let handler):
            { expiration, context in
                let batch = ExpirationBatch(context.deliveries, value: expiration.value)
                if let error = try await handler(batch, context.ofBatch).failures[0] { throw error }
            }
        }
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
