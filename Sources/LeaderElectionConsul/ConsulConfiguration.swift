public import Endpoints

/// Where Consul is, and how an election is kept there.
///
/// The norm is one Consul agent on every host and replicas that ask the one of their own host: it knows
/// the servers, and follows them when they move. Several agents are for hosts without one.
public struct ConsulConfiguration: Sendable {
    /// The HTTP address of an agent.
    public struct Agent: Sendable, Hashable {
        /// A name or an address, an IPv6 address without brackets.
        public var host: String
        /// 8500 unless the agent says otherwise, 8501 for TLS.
        public var port: Int

        /// The agent of this host.
        public init(host: String = "127.0.0.1", port: Int = 8500) {
            self.host = host
            self.port = port
        }
    }

    /// The agents to ask, at least one: the first that answers, until it fails.
    public var agents: [Agent]
    /// The keys of an election lie at `<prefix>/<name>/`. Not empty.
    public var prefix: String
    /// An ACL token; it needs `key_prefix "<prefix>/" { policy = "write" }` and
    /// `session_prefix "" { policy = "write" }`.
    public var token: ConsulToken?
    /// TLS, with a client certificate if the agent asks for one; nil: plain HTTP. While a file cannot be
    /// read, only the system's authorities are trusted.
    public var tls: TLSFiles?
    /// Where the token is renewed; it counts before ``token``.
    package var tokenFile: SecretFile?
    /// How long Consul gives the lock to no session after one was *invalidated* while it held the lock: 0
    /// to 60 s. Nil: as long as the lease (`Claim.ttl`), the least that is safe; a lease longer than 60 s
    /// is then refused.
    ///
    /// A shorter one lets a rival lead while a leader that lost its session to an operator or to a failed
    /// health check still believes in its lease. Zero is safe only if nothing but its own TTL ever ends a
    /// session.
    public var lockDelay: Duration?
    /// The TTL of a session whose lease is shorter, at most 24 h. Consul accepts none below its
    /// `session_ttl_min`, 10 s unless an operator lowered it, and ends a session up to twice its TTL after
    /// the last renewal: so late is a crash noticed.
    public var shortestSession: Duration
    /// Health checks of the agent's node that end the session when they turn critical. `serfHealth`, the
    /// default of Consul, notices a dead host in seconds, where the TTL alone takes twenty.
    public var checks: [String]
    /// How long to wait for a connection.
    public var connectTimeout: Duration
    /// How long to wait for an answer. The elector stops counting on one much sooner.
    public var requestTimeout: Duration

    /// Plain HTTP to the agent of this host, unless told otherwise.
    public init(
        agents: [Agent] = [Agent()], prefix: String = "lapse", token: ConsulToken? = nil,
        tls: TLSFiles? = nil, lockDelay: Duration? = nil, shortestSession: Duration = .seconds(10),
        checks: [String] = ["serfHealth"],
        connectTimeout: Duration = .seconds(2), requestTimeout: Duration = .seconds(5)
    ) {
        self.agents = agents
        self.prefix = prefix
        self.token = token
        self.tls = tls
        self.lockDelay = lockDelay
        self.shortestSession = shortestSession
        self.checks = checks
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
    }
}

/// Why a configuration of Consul cannot be used: one line that names the thing and the fix, and never a
/// secret.
public struct ConsulConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What to mend.
    public let description: String

    init(_ description: String) { self.description = description }
}
