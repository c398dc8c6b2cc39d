public import LeaderElection

/// How a processor stands: what `/status` shows. Its JSON stands in ``ProcessorStatus/formatVersion``'s
/// form: every key is always there, with null for what is not known.
public struct ProcessorStatus: Sendable {
    /// The version of the JSON. It changes when a key goes or changes its meaning, not when one is added.
    public static let formatVersion = 1

    /// What the topology says of a node.
    public enum NodeRole: String, Sendable, Hashable, Codable { case master, replica }

    /// How many registers of the lease are in which state.
    public struct RegisterCounts: Sendable, Hashable, Encodable {
        /// They answer, and hold what they should.
        public var ok = 0
        /// They hold this replica's claim no more.
        public var lost = 0
        /// They gave no answer.
        public var unreachable = 0
        /// They have not been asked yet.
        public var unknown = 0
    }

    /// One node's feed and log.
    public struct Node: Sendable {
        /// `host:port`.
        public var address: String
        /// Master or replica, as the topology says.
        public var role: NodeRole
        /// The server process; nil before it was first heard.
        public var runID: String?
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
        /// Expirations passed over while this replica led: not wanted, or announced by a node that did not own
        /// the slot.
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

    /// Nothing is handed out, since an operator asked for it: `lapse pause`.
    public struct Pause: Sendable, Hashable {
        /// The operator who asked, in their own words; not proven.
        public var author: String
        /// What is left of it at most. Seconds in JSON.
        public var remaining: Duration
    }

    /// The election.
    public var name: String
    /// This replica.
    public var id: String
    /// What this replica does in the election.
    public var role: ElectorState.Role
    /// Whether handlers may be called now.
    public var isLeader: Bool
    /// The term under way, or the last one of this replica; 0: none yet.
    public var term: UInt64
    /// The fencing token of that term.
    public var token: UInt64
    /// The replica that leads, as far as is known.
    public var leader: String?
    /// What is left until this replica must have stopped calling handlers; zero when it does not lead.
    /// Seconds in JSON.
    public var leaseRemaining: Duration
    /// The registers of the lease.
    public var registers: RegisterCounts
    /// Expirations handed to handlers and not finished.
    public var inFlight: Int
    /// Every node of the topology, replicas too.
    public var nodes: [Node]
    /// The pause under way; nil while expirations are handed out.
    public var pause: Pause?
    /// Dead letters in the stream of ``ProcessorConfiguration/deadLetter``; nil without one, or while it
    /// cannot be asked.
    public var deadLetters: Int?
}

extension ProcessorStatus: Encodable {
    private enum CodingKeys: String, CodingKey {
        case formatVersion, name, id, role, isLeader, term, token, leader, leaseRemainingSeconds, registers, inFlight,
            nodes, pause, deadLetters
    }

    /// Encodes the keys that the manual lists. Throws what the encoder throws, and nothing of its own.
    public func encode(to encoder: any Encoder) throws { try encode(to: encoder, role: role.rawValue) }

    fileprivate func encode(to encoder: any Encoder, role: String) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.formatVersion, forKey: .formatVersion)
        try container.encode(name, forKey: .name)
        try container.encode(id, forKey: .id)
        try container.encode(role, forKey: .role)
        try container.encode(isLeader, forKey: .isLeader)
        try container.encode(term, forKey: .term)
        try container.encode(token, forKey: .token)
        try container.encode(leader, forKey: .leader)
        try container.encode(leaseRemaining / .seconds(1), forKey: .leaseRemainingSeconds)
        try container.encode(registers, forKey: .registers)
        try container.encode(inFlight, forKey: .inFlight)
        try container.encode(nodes, forKey: .nodes)
        try container.encode(pause, forKey: .pause)
        try container.encode(deadLetters, forKey: .deadLetters)
    }
}

/// What `/status` shows before Redis was first reached: the same keys, and the role `starting`.
package struct StartingStatus: Sendable, Encodable {
    let name: String
    let id: String

    package func encode(to encoder: any Encoder) throws {
        let status = ProcessorStatus(
            name: name, id: id, role: .waiting, isLeader: false, term: 0, token: 0, leader: nil, leaseRemaining: .zero,
            registers: .init(), inFlight: 0, nodes: [], pause: nil, deadLetters: nil)
        try status.encode(to: encoder, role: "starting")
    }
}

extension ProcessorStatus.Pause: Encodable {
    private enum CodingKeys: String, CodingKey { case author, remainingSeconds }

    /// Encodes the keys that the manual lists. Throws what the encoder throws, and nothing of its own.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(author, forKey: .author)
        try container.encode(remaining / .seconds(1), forKey: .remainingSeconds)
    }
}

extension ProcessorStatus.Node: Encodable {
    private enum CodingKeys: String, CodingKey {
        case address, role, runID = "runId", isSubscribed, isSilent, notifications, error, received, lost, ignored,
            surplus
        case logEntries, logBytes, backlog, account
    }

    /// Encodes the keys that the manual lists. Throws what the encoder throws, and nothing of its own.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(address, forKey: .address)
        try container.encode(role, forKey: .role)
        try container.encode(runID, forKey: .runID)
        try container.encode(isSubscribed, forKey: .isSubscribed)
        try container.encode(isSilent, forKey: .isSilent)
        try container.encode(notifications, forKey: .notifications)
        try container.encode(error, forKey: .error)
        try container.encode(received, forKey: .received)
        try container.encode(lost, forKey: .lost)
        try container.encode(ignored, forKey: .ignored)
        try container.encode(surplus, forKey: .surplus)
        try container.encode(logEntries, forKey: .logEntries)
        try container.encode(logBytes, forKey: .logBytes)
        try container.encode(backlog, forKey: .backlog)
        try container.encode(account, forKey: .account)
    }
}
