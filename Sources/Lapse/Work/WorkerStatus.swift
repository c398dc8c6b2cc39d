/// How things stand with a worker. Its keys in JSON are the names of its properties.
public struct WorkerStatus: Sendable, Hashable, Encodable {
    /// It changes when a key goes or changes its meaning, not when one is added.
    public let formatVersion = 1
    /// The stream's key.
    public let stream: String
    /// The consumer group.
    public let group: String
    /// This worker.
    public let id: String
    /// The keys of the partitions that it reads.
    public internal(set) var partitions: [String] = []
    /// Entries in hand, those below included.
    public internal(set) var inHand = 0
    /// Attempts under way.
    public internal(set) var running = 0
    /// Entries that have failed, and wait for another attempt or for their dead letter to be written.
    public internal(set) var waiting = 0
    /// Dead letters in the stream of ``WorkerConfiguration/deadLetter``; nil (and no key in JSON) without
    /// one, or while it cannot be asked.
    public internal(set) var deadLetters: Int?
    /// What does not work now: empty, or each partition and command with its last error, and how many lanes
    /// are held up by handlers that do not end.
    public internal(set) var troubles: [String] = []
}
