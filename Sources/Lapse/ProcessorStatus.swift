/// How a processor stands: what `/status` shows.
public struct ProcessorStatus: Sendable, Codable {
    /// One node's feed and log.
    public struct Node: Sendable, Codable {
        public var address: String
        public var role: String
        public var runId: String?
        public var isSubscribed: Bool
        public var isSilent: Bool
        /// `notify-keyspace-events` as last read; nil while unknown.
        public var notifications: String?
        public var error: String?
        public var received: UInt64
        public var lost: UInt64
        public var ignored: UInt64
        public var surplus: UInt64
        public var logEntries: Int
        /// Bytes.
        public var logBytes: Int
        /// Expirations waiting or under way; 0 on a follower.
        public var backlog: UInt64
    }

    public var name: String
    public var id: String
    public var role: String
    public var isLeader: Bool
    public var term: UInt64
    public var token: UInt64
    public var leader: String?
    public var leaseRemainingSeconds: Double
    /// How many registers are in which state.
    public var registerCounts: [String: Int]
    public var inFlight: Int
    public var nodes: [Node]
}
