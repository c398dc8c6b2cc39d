import RESP
package import RedisClient

/// What was learned from one server.
package struct NodeFacts: Sendable {
    package enum Contact: Sendable, Equatable {
        /// Logged in; the time is that of one small command.
        case answered(after: Duration)
        case unreachable(String)
        /// Login or TLS refused.
        case denied(String)
    }

    /// What CONFIG GET gave.
    package enum Settings: Sendable, Equatable {
        case read([String: String])
        /// The user has no right to it.
        case forbidden(String)
        /// Renamed away, as managed services do.
        case renamed
        /// Refused in other words, or answered with nothing.
        case withheld(String)
        case unknown
    }

    /// The server's wall clock against this machine's; the truth lies within `offset ± uncertainty`.
    package struct Clock: Sendable, Equatable {
        package var offset: Duration
        package var uncertainty: Duration

        package init(offset: Duration, uncertainty: Duration) {
            self.offset = offset
            self.uncertainty = uncertainty
        }
    }

    package let address: NodeAddress
    package var role: Topology.Role
    /// The cluster's node ID; the address where there is no cluster.
    package var id: String
    package var masterID: String?
    /// The others call it failing.
    package var isFailing = false
    package var slotCount = 0
    /// An independent server that only votes on the lease (`--lock-servers`).
    package var isLockServer = false
    package var contact: Contact
    /// The fields of INFO, all sections.
    package var info: [String: String] = [:]
    package var settings = Settings.unknown
    /// What Lapse needs and was refused.
    package var refusals: [Refusal] = []
    /// What `lapse run` does and this server took no part in.
    package var failures: [TrialFailure] = []
    package var clock: Clock?
    /// What a cluster node calls itself by, what the others call it by, and what it calls the others by.
    package var ownWord: NodeAddress?
    package var announced: NodeAddress?
    package var words: [String: NodeAddress] = [:]

    package init(_ address: NodeAddress, _ role: Topology.Role, _ contact: Contact = .answered(after: .milliseconds(1)))
    {
        self.address = address
        self.role = role
        self.contact = contact
        id = "\(address)"
    }

    /// What the topology tells of it; nothing has been asked yet.
    init(_ node: Topology.Node) {
        self.init(node.address, node.role, .unreachable("does not answer"))
        id = node.id
        masterID = node.masterID
        isFailing = node.isFailing
        slotCount = node.slotCount
    }

    package var isAnswering: Bool { if case .answered = contact { true } else { false } }

    /// Announces expirations now: a master that is part of the deployment.
    package var isDataMaster: Bool { !isLockServer && role == .master }

    /// A dead master whose slots have another owner: it announces nothing, and the cluster goes on without
    /// it.
    package var isLeftBehind: Bool { !isLockServer && role == .master && isFailing && slotCount == 0 }

    package func setting(_ name: String) -> String? {
        guard case .read(let values) = settings else { return nil }
        return values[name]
    }

    /// `notify-keyspace-events`; nil while unknown.
    package var notifications: String? { setting("notify-keyspace-events") }

    package var uptime: Duration? {
        info["uptime_in_seconds"].flatMap { PlausibleCount.read($0) }.map { .seconds(Int64($0)) }
    }

    /// Keys with a TTL, in all databases.
    package var volatileKeys: Int? {
        guard !info.isEmpty else { return nil }
        return info.filter { $0.key.hasPrefix("db") && $0.value.contains("expires=") }.values.reduce(0) { sum, text in
            let fields = text.split(separator: ",").first { $0.hasPrefix("expires=") }
            return sum + Int(fields.flatMap { PlausibleCount.read($0.dropFirst("expires=".count)) } ?? 0)
        }
    }
}
