public import Endpoints
public import LeaderElection
package import RedisClient

/// How an ``ExpirationProcessor`` runs. Every value has a default; each is named as the option of
/// `lapse run`.
public struct ProcessorConfiguration: Sendable {
    /// What runs on the servers.
    public enum TopologyMode: String, Sendable, CaseIterable {
        /// Ask them; with `redis+sentinel://` URLs it is Sentinel.
        case auto
        /// A single Redis, with or without replicas.
        case standalone
        /// A Redis Cluster.
        case cluster
        /// A master named by Sentinels.
        case sentinel
    }

    /// What to do about nodes that do not announce expirations.
    public enum NotificationPolicy: String, Sendable, CaseIterable {
        /// Tell, with the command that mends it.
        case verify
        /// Set what is missing.
        case set
        /// Do not look (CONFIG is forbidden).
        case off
    }

    /// Whether the servers are made to announce expirations on time: by themselves they find expired keys
    /// by sampling.
    public enum Punctual: String, Sendable, CaseIterable {
        /// They announce when they come to it: after seconds or minutes where many keys have a TTL.
        case off
        /// A paced SCAN of the wanted keys on each master expires what is overdue; late by about a pass.
        case sweep
        /// The deadline of each wanted key is kept, and the key asked for when it has passed. Needs class `g`
        /// of `notify-keyspace-events`; sweeps where that is missing.
        case track
    }

    /// `redis://`, `rediss://` or `redis+sentinel://` URLs, at least one; more help when that one is down.
    public var redis: [String]
    /// The election's name: replicas with the same name form one group. Not empty; no spaces, line ends,
    /// `:` or braces.
    public var name: String
    /// This replica; unique in its group. Not empty; no white space.
    public var id: String
    /// Keys wanted, as Redis globs; empty for all.
    public var match: [String]
    /// Keys not wanted, as Redis globs.
    public var ignore: [String] = []
    /// Databases wanted, each 0 to 65535 and one that the servers have; empty for the one the URL names,
    /// else 0.
    public var databases: [Int] = []
    /// Companion keys that hold the values of expiring ones, such as `session:* => session-data:*`: one `*`
    /// on each side.
    public var companions: [String] = []
    /// How often to look for companions whose key is gone without an announcement; at least 1 s.
    public var reconcileInterval: Duration = .seconds(300)
    /// What of a key stands in log lines and on the page of the admin port.
    public var logKeys: KeyDisclosure = .full
    /// The password, if it is not in the URL.
    public var password: String?
    /// Path of a file that holds the password and nothing else. It is read again for a connection that is
    /// made after it has changed, and counts before ``password``.
    public var passwordFile: String?
    /// Credentials of the Sentinels themselves.
    package var sentinel = SentinelAccess()
    /// Which of the addresses that a node announces is connected to.
    package var announced = AnnouncedAddress.auto
    /// The name that every server's certificate must bear; nil for the host that is connected to.
    public var tlsServerName: String?
    /// Whom to trust and which certificate to show, where the URLs are `rediss://`.
    public var tls = TLSFiles()
    /// What runs on the servers. ``TopologyMode/sentinel`` and `redis+sentinel://` URLs belong together.
    public var topology: TopologyMode = .auto
    /// `HOST:PORT=HOST:PORT` or `HOST=HOST`, for nodes announced behind NAT.
    public var addressMap: [String] = []
    /// The longest wait for one connection; longer than zero.
    public var connectTimeout: Duration = .seconds(2)
    /// How long to wait for Redis at the start; nil keeps trying.
    public var startupTimeout: Duration?
    /// The lease's length, at least 370 ms and shorter than ``logAge``; it is renewed every third of it.
    public var leaseTTL: Duration = .seconds(8)
    /// URLs of independent servers that vote on the lease, for a classic Redlock: an odd number, and none
    /// with ``store``. Empty for lock keys in `redis`.
    public var lockServers: [String] = []
    /// An election store other than Redis, such as etcd; nil elects in Redis. The processor shuts it down
    /// when its run ends. All replicas of a group must use the same store: stop them all before changing
    /// it.
    public var store: (any LeaseStore)?
    /// Lock keys, an odd number from 1 to 15, and nil with ``store``; nil for 3 in a cluster, else 1.
    public var registers: Int?
    /// What to do about nodes that do not announce expirations.
    public var notifications: NotificationPolicy = .verify
    /// Whether the servers are made to announce expirations on time.
    public var punctual: Punctual = .off
    /// The most bytes that the deadlines of ``Punctual/track`` may take, at least 1 MiB; one takes about 48
    /// and its key. Past it those furthest ahead give way, and are brought in again by a sweep.
    public var punctualBytes = 128 << 20
    /// How often the leader sets a key of Lapse's own on each master, which must come back through the
    /// feed; nil for never. At least a second. When two in a row do not come back, that is logged, counted,
    /// and this replica is not ready.
    public var canary: Duration?
    /// How long after its deadline one is missing.
    package var canaryPatience = Duration.seconds(5)
    /// Handlers at once, 1 to 65536.
    public var concurrency = 64
    /// The longest run of a handler, longer than zero; then its task is cancelled and the attempt has
    /// failed.
    public var handlerTimeout: Duration = .seconds(30)
    /// Attempts after the first, 0 or more.
    public var retries = 5
    /// The wait before the first retry, longer than zero; each further one is twice as long. Every wait is
    /// shortened by up to a half at random.
    public var retryDelay: Duration = .milliseconds(100)
    /// The longest wait between two attempts; not below ``retryDelay``.
    public var longestRetryDelay: Duration = .seconds(30)
    /// A stream for expirations that no attempt could handle; nil logs them.
    public var deadLetter: String?
    /// The most bytes to keep in each node's log, at least 64 KiB. What is dropped before it was handled
    /// counts as lost.
    public var logBytes = 64 << 20
    /// The most bytes to keep in all logs together, at least 1 MiB, counted as they lie in memory; past it
    /// the largest logs lose their oldest, which counts as lost if it was not handled. Nil for half of what
    /// the control group may use, else 1 GiB.
    public var logTotalBytes: Int?
    /// The longest to keep an expiration in a log of which no leader has written progress yet, or whose
    /// leader waits for a proof that the node may announce it. At least 1 s and longer than ``leaseTTL``.
    /// What is dropped before it was handled counts as lost.
    public var logAge: Duration = .seconds(60)
    /// How long handlers may take to finish at shutdown, zero or more; then they are cancelled and left to
    /// the next leader.
    public var drain: Duration = .seconds(10)
    /// Called once, on the election's thread, which no handler can block, when a handler ignores its
    /// cancellation past the end of the lease: exit the process there.
    public var onOverrun: (@Sendable (_ term: UInt64) -> Void)?

    /// A stream to which each expiration is appended, instead of calling a handler.
    package var stream: StreamDestination?

    /// Hears of each claim before a register does.
    package var witness: (any ClaimWitness)?

    /// Values for a server on this machine, unless others are given.
    ///
    /// - Parameters:
    ///   - redis: URLs of servers to begin with.
    ///   - name: the election's name.
    ///   - id: this replica.
    ///   - match: keys wanted, as Redis globs; empty for all.
    public init(
        redis: [String] = ["redis://127.0.0.1:6379"], name: String = "default",
        id: String = ElectionConfiguration.uniqueID(), match: [String] = []
    ) {
        self.redis = redis
        self.name = name
        self.id = id
        self.match = match
    }

    /// Checks the values alone and asks no server; ``ExpirationProcessor/run()`` does it too.
    ///
    /// - Throws: ``LapseError`` of the code ``LapseError/Code/configuration``, which names the property.
    public func validate() throws(LapseError) {
        func check(_ isFine: Bool, _ property: String, _ text: String) throws(LapseError) {
            if !isFine { throw .configuration(property, text) }
        }
        try check(!redis.isEmpty, "redis", "name at least one server")
        try check(
            !name.isEmpty && !name.contains(where: { "{}: \n\r".contains($0) }), "name", "no spaces, ':' or braces")
        try check(!id.isEmpty && !id.contains(where: \.isWhitespace), "id", "no spaces")
        try check(concurrency > 0 && concurrency <= 65_536, "concurrency", "1 to 65536")
        try check(retries >= 0, "retries", "not below 0")
        try check(retryDelay > .zero, "retryDelay", "longer than zero")
        try check(longestRetryDelay >= retryDelay, "longestRetryDelay", "not below the first delay")
        try check(handlerTimeout > .zero, "handlerTimeout", "longer than zero")
        try check(punctualBytes >= 1 << 20, "punctualBytes", "at least 1MiB")
        try check(canary ?? .seconds(1) >= .seconds(1), "canary", "at least 1s")
        try check(logBytes >= 64 << 10, "logBytes", "at least 65536")
        try check(logTotalBytes ?? .max >= 1 << 20, "logTotalBytes", "at least 1MiB")
        try check(logAge >= .seconds(1), "logAge", "at least 1s")
        // A successor leads only after the lease has run out, and handles what was announced meanwhile from
        // its log.
        try check(logAge > leaseTTL, "logAge", "longer than the lease, or what a dead leader leaves is gone before")
        try check(drain >= .zero, "drain", "not below zero")
        try check(connectTimeout > .zero, "connectTimeout", "longer than zero")
        try check(databases.allSatisfy { (0...65_535).contains($0) }, "databases", "0 to 65535")
        try check(registers.map { $0 > 0 && $0 % 2 == 1 && $0 <= 15 } ?? true, "registers", "an odd number up to 15")
        try check(
            store == nil || lockServers.isEmpty && registers == nil,
            "store", "registers and lock servers belong to an election in Redis")
        try check(
            lockServers.isEmpty || lockServers.count % 2 == 1,
            "lockServers", "an odd number of servers can form a majority")
        try check(stream?.retain ?? .zero >= .zero, "streamRetain", "not below zero")
        try check(reconcileInterval >= .seconds(1), "reconcileInterval", "at least 1s")
        _ = try CompanionRules(companions)
        do throws(ElectionError) {
            _ = try ElectionConfiguration(name: name, id: id, leaseTTL: leaseTTL).timing()
        } catch {
            throw LapseError(error)
        }
    }
}
