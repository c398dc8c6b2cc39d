import ExpirationStream
public import LeaderElection
public import Logging
import RedisClient

/// What a worker's handler is told besides the expiration. There is no lease here: any number of
/// workers handle at once.
public struct WorkContext: Sendable {
    /// How many attempts have been begun, this one included, by all workers together: 1 for the first.
    public let attempt: Int
    /// The stream's key; with several partitions that of the partition.
    public let stream: String
    /// The consumer group.
    public let group: String
    /// The entry's ID in ``stream``.
    public var entryID: String {
        switch entry {
        case .id(let id): id.description
        case .text(let text): text
        }
    }
    /// Tells this expiration from all others, the same at each attempt and in each worker: an idempotency
    /// key.
    public let eventID: String
    /// The term of the leader that appended the entry.
    public let term: UInt64
    /// The fencing token of that leader. Entries are not handled in the order of tokens.
    public let fencingToken: FencingToken
    /// The stream may hold this expiration twice.
    public let isUncertain: Bool
    private let base: Logger
    private let entry: EntryID

    private enum EntryID {
        /// Made into a text when asked for.
        case id(StreamID)
        /// A test's may be any.
        case text(String)
    }

    /// Also for tests of a handler.
    public init(
        attempt: Int = 1, stream: String = "expirations", group: String = "test", entryID: String = "1-0",
        eventID: String = "test-1", term: UInt64 = 1, fencingToken: FencingToken = FencingToken(rawValue: 1),
        isUncertain: Bool = false, logger: Logger = Logger(label: "test")
    ) {
        self.attempt = attempt
        self.stream = stream
        self.group = group
        entry = .text(entryID)
        self.eventID = eventID
        self.term = term
        self.fencingToken = fencingToken
        self.isUncertain = isUncertain
        base = logger
    }

    init(
        attempt: Int, _ entry: WorkEntry, _ content: StreamEntry, group: String, logger: Logger
    ) {
        self.attempt = attempt
        stream = entry.partition
        self.group = group
        self.entry = .id(entry.id)
        eventID = content.id
        term = content.term
        fencingToken = FencingToken(rawValue: content.token)
        isUncertain = content.isUncertain
        base = logger
    }

    /// For the handler's own lines; carries stream, group and entry. Made when asked for: most handlers log
    /// nothing.
    public var logger: Logger {
        var logger = base
        logger[metadataKey: "stream"] = "\(stream)"
        logger[metadataKey: "group"] = "\(group)"
        logger[metadataKey: "entry"] = "\(entryID)"
        return logger
    }
}

/// Handles one expiration from a stream. A throw is retried; the task is cancelled at the timeout, and
/// when a worker that leaves has waited for its handlers long enough.
public typealias WorkHandler = @Sendable (Expiration, WorkContext) async throws -> Void
