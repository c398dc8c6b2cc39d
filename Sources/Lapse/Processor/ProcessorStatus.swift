/// How a processor stands: what `/status` shows.
public struct ProcessorStatus: Sendable, Codable {
    /// One node's feed and log.
    public struct Node: Sendable, Codable {
        /// `host:port`.
        public var address: String
        /// `master` or `replica`, as the topology says.
        public var role: String
        /// The server process; nil before it was first heard.
        public var runId: String?
        /// Whether the feed is subscribed.
        public var isSubscribed: Bool
        /// Whether the node leaves pings unanswered.
        public var isSilent: Bool
        /// `notify-keyspace-events` as last read; nil while unknown.
        public var notifications: String?
        /// What went wrong last, if nothing has gone right since.
        public var error: String?
        /// Messages heard, as long as their log is kept.
        public var received: UInt64
        /// Expirations missed while this replica led.
        public var lost: UInt64
        /// Expirations passed over while this replica led: not wanted, or announced by a node that did not own the slot.
        public var ignored: UInt64
        /// Messages that the node did not count: forged.
        public var surplus: UInt64
        /// Expirations kept in the log.
        public var logEntries: Int
        /// Bytes kept in the log.
        public var logBytes: Int
        /// Expirations waiting or under way; 0 on a follower.
        public var backlog: UInt64
        /// What became of everything that this term answers for; nil on a follower.
        public var account: NodeAccount?
    }

    /// The election.
    public var name: String
    /// This replica.
    public var id: String
    /// What this replica does in the election, as `ElectorState.Role` names it.
    public var role: String
    /// Whether handlers may be called now.
    public var isLeader: Bool
    /// The term under way, or the last one of this replica; 0: none yet.
    public var term: UInt64
    /// The fencing token of that term.
    public var token: UInt64
    /// The replica that leads, as far as is known.
    public var leader: String?
    /// What is left until this replica must have stopped calling handlers; 0 when it does not lead.
    public var leaseRemainingSeconds: Double
    /// How many registers are in which state.
    public var registerCounts: [String: Int]
    /// Expirations handed to handlers and not finished.
    public var inFlight: Int
    /// Every node of the topology, replicas too.
    public var nodes: [Node]
}
