public import Endpoints
public import LeaderElection

/// How an ``ExpirationWorker`` runs. Each value is named as the option of `lapse work`.
public struct WorkerConfiguration: Sendable {
    /// The stream's key, as `lapse run --stream` has it: 1 to 1024 bytes; with braces only where they are a
    /// hash tag.
    public var stream: String
    /// The consumer group, 1 to 256 bytes without white space: its workers share the entries. It is made
    /// where it is missing, and begins with what the stream holds.
    public var group: String
    /// This worker: the name of its consumer, unique in its group. Not empty; no white space.
    public var id: String
    /// An entry whose worker has been silent for this long, 300 ms to 24 h, is claimed by another one. A
    /// worker says each third of it that it lives.
    public var claimAfter: Duration = .seconds(15)
    /// How to reach Redis, and how to treat a handler.
    package var shared: ProcessorConfiguration

    /// Values for a server on this machine, unless others are given.
    ///
    /// - Parameters:
    ///   - stream: the stream's key.
    ///   - group: the consumer group.
    ///   - redis: URLs of servers to begin with.
    ///   - id: this worker.
    public init(
        stream: String, group: String, redis: [String] = ["redis://127.0.0.1:6379"],
        id: String = ElectionConfiguration.uniqueID()
    ) {
        self.stream = stream
        self.group = group
        self.id = id
        shared = ProcessorConfiguration(redis: redis, id: id)
    }

    package init(stream: String, group: String, shared: ProcessorConfiguration) {
        self.init(stream: stream, group: group, id: shared.id)
        self.shared = shared
    }

    /// See ``ProcessorConfiguration/redis``.
    public var redis: [String] {
        get { shared.redis }
        set { shared.redis = newValue }
    }
    /// See ``ProcessorConfiguration/logKeys``.
    public var logKeys: KeyDisclosure {
        get { shared.logKeys }
        set { shared.logKeys = newValue }
    }
    /// See ``ProcessorConfiguration/password``.
    public var password: String? {
        get { shared.password }
        set { shared.password = newValue }
    }
    /// See ``ProcessorConfiguration/passwordFile``.
    public var passwordFile: String? {
        get { shared.passwordFile }
        set { shared.passwordFile = newValue }
    }
    /// See ``ProcessorConfiguration/tls``.
    public var tls: TLSFiles {
        get { shared.tls }
        set { shared.tls = newValue }
    }
    /// See ``ProcessorConfiguration/tlsServerName``.
    public var tlsServerName: String? {
        get { shared.tlsServerName }
        set { shared.tlsServerName = newValue }
    }
    /// See ``ProcessorConfiguration/topology``.
    public var topology: ProcessorConfiguration.TopologyMode {
        get { shared.topology }
        set { shared.topology = newValue }
    }
    /// See ``ProcessorConfiguration/addressMap``.
    public var addressMap: [String] {
        get { shared.addressMap }
        set { shared.addressMap = newValue }
    }
    /// See ``ProcessorConfiguration/connectTimeout``.
    public var connectTimeout: Duration {
        get { shared.connectTimeout }
        set { shared.connectTimeout = newValue }
    }
    /// See ``ProcessorConfiguration/startupTimeout``.
    public var startupTimeout: Duration? {
        get { shared.startupTimeout }
        set { shared.startupTimeout = newValue }
    }
    /// Handlers at once, 1 to 65536.
    public var concurrency: Int {
        get { shared.concurrency }
        set { shared.concurrency = newValue }
    }
    /// The longest run of a handler, longer than zero; then its task is cancelled and the attempt has
    /// failed.
    public var handlerTimeout: Duration {
        get { shared.handlerTimeout }
        set { shared.handlerTimeout = newValue }
    }
    /// Attempts after the first, 0 or more, by all workers together: an attempt whose worker died counts.
    public var retries: Int {
        get { shared.retries }
        set { shared.retries = newValue }
    }
    /// See ``ProcessorConfiguration/retryDelay``.
    public var retryDelay: Duration {
        get { shared.retryDelay }
        set { shared.retryDelay = newValue }
    }
    /// See ``ProcessorConfiguration/longestRetryDelay``.
    public var longestRetryDelay: Duration {
        get { shared.longestRetryDelay }
        set { shared.longestRetryDelay = newValue }
    }
    /// A stream for expirations that no attempt could handle, another key than ``stream``; nil logs them.
    /// What cannot be written there stays in the group and is tried again.
    public var deadLetter: String? {
        get { shared.deadLetter }
        set { shared.deadLetter = newValue }
    }
    /// How long handlers may take to finish at shutdown, zero or more; then they are cancelled, and other
    /// workers handle what they had.
    public var drain: Duration {
        get { shared.drain }
        set { shared.drain = newValue }
    }

    /// Checks the values alone and asks no server; ``ExpirationWorker/run()`` does it too.
    ///
    /// - Throws: ``LapseError`` of the code ``LapseError/Code/configuration``, which names the property.
    public func validate() throws(LapseError) {
        try shared.validate()
        if let reason = StreamName.trouble(stream) { throw .configuration("stream", reason) }
        guard !group.isEmpty, group.utf8.count <= 256, !group.contains(where: \.isWhitespace) else {
            throw .configuration("group", "1 to 256 bytes, no spaces")
        }
        guard claimAfter >= .milliseconds(300), claimAfter <= .seconds(86_400) else {
            throw .configuration("claimAfter", "300ms to 24h")
        }
        guard deadLetter != stream else { throw .configuration("deadLetter", "another key than the stream's") }
    }
}
