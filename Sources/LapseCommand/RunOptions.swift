import Console
import Lapse
import LapseAdmin
import LapseHandlers
import LeaderElection
import Logging

/// Which election, and where it is held.
enum Election: OptionGroupTable {
    static let name = Setting.text(
        OptionRow(
            name: "name", value: "name", help: "Election: replicas with the same name form one group.",
            standard: "default"))
    static let registers = Setting.number(
        OptionRow(
            name: "registers", value: "n", help: "Lock keys, an odd number.", standardHelp: "3 in a cluster, else 1"),
        1...15)
    static let lockServers = Setting<String>(
        row: OptionRow(
            name: "lock-servers", arity: .list, value: "url,…",
            help: "Independent servers that vote on the lease instead (classic Redlock), an odd number.",
            isSecret: true), read: Connection.url)
    static let store = Setting<StoreChoice>(
        row: OptionRow(
            name: "store", value: "url",
            help: """
                Where the election is held: redis, etcd://HOST:2379[,HOST:2379…]/PREFIX, consul://HOST:8500/PREFIX or \
                mysql://USER@HOST:3306/DB?scheme=heartbeat|lease; with TLS etcd+tls:// and so on.
                """,
            standard: "redis", isSecret: true), read: StoreChoice.init(parsing:))
    static let storePasswordFile = Setting.text(
        OptionRow(
            name: "store-password-file", value: "file", help: "File that holds the store's password or token."))
    static let storeAuthority = Setting.text(
        OptionRow(
            name: "store-tls-ca", value: "file", help: "PEM file with the authorities to trust for the store.",
            standardHelp: "the system's"))
    static let storeCertificate = Setting.text(
        OptionRow(
            name: "store-tls-cert", value: "file", help: "PEM file with this client's certificate for the store."))
    static let storeKey = Setting.text(
        OptionRow(name: "store-tls-key", value: "file", help: "PEM file with the key of --store-tls-cert."))

    static let rows = [
        name.row, registers.row, lockServers.row, store.row, storePasswordFile.row, storeAuthority.row,
        storeCertificate.row, storeKey.row,
    ]
}

/// How this replica takes part in the election.
enum Candidacy: OptionGroupTable {
    static let id = Setting.text(
        OptionRow(
            name: "id", value: "id", help: "This replica; another one for each.", standardHelp: "host-pid-random"))
    static let leaseTTL = Setting.duration(
        OptionRow(
            name: "lease-ttl", value: "duration", help: "Lease length; renewed every third of it.", standard: "8s"))
    static let drain = Setting.duration(
        OptionRow(
            name: "drain", value: "duration", help: "Time for handlers, or the program, to finish at shutdown.",
            standard: "10s"))

    static let rows = [id.row, leaseTTL.row, drain.row]
}

/// Which expirations are wanted.
enum Wanted: OptionGroupTable {
    static let match = Setting.text(
        OptionRow(
            name: "match", arity: .globs, value: "glob", help: "Keys wanted, a Redis glob.", standardHelp: "all"))
    static let ignore = Setting.text(
        OptionRow(name: "ignore", arity: .globs, value: "glob", help: "Keys not wanted, a Redis glob."))
    static let database = Setting.number(
        OptionRow(
            name: "database", arity: .list, value: "n", help: "Database wanted.",
            standardHelp: "the one the URL names, else 0"), 0...65_535)

    static let companion = Setting.text(
        OptionRow(
            name: "companion", arity: .list, value: "rule",
            help: "Keys that hold the value of an expiring one, as 'session:* => session-data:*'."))

    static let rows = [match.row, ignore.row, database.row, companion.row]
}

/// How much is logged, and how.
enum LogLines: OptionGroupTable {
    static let level = Setting<Logger.Level>.choice(
        OptionRow(name: "log-level", help: "Least important log lines to print.", standard: "info"))
    static let format = Setting<LogFormat>.choice(
        OptionRow(name: "log-format", help: "How log lines look, on stderr.", standard: "text"))

    static let keys = Setting<KeyDisclosure>.choice(
        OptionRow(
            name: "log-keys",
            help: "What of a key stands in log lines and on the admin port's page: all, a hash of it, or nothing.",
            standard: "full"))

    static let rows = [level.row, format.row, keys.row]
}

/// Whether the servers are made to announce expirations on time.
enum OnTime: OptionGroupTable {
    static let punctual = Setting<ProcessorConfiguration.Punctual>.choice(
        OptionRow(
            name: "punctual",
            help: "Make Redis announce on time: off, sweep (a paced SCAN) or track (each key's deadline).",
            standard: "off"))
    static let bytes = Setting.size(
        OptionRow(
            name: "punctual-bytes", value: "size", help: "Bound of the deadlines that --punctual track keeps.",
            standard: "128MiB"))

    static let canary = Setting.duration(
        OptionRow(
            name: "canary", value: "duration",
            help: "How often a key of Lapse's own must expire on each master and be heard.", standardHelp: "never"))

    static let rows = [punctual.row, bytes.row, canary.row]
}

/// The options of `lapse run` that no other subcommand has.
enum Running: OptionGroupTable {
    static let notifications = Setting<ProcessorConfiguration.NotificationPolicy>.choice(
        OptionRow(
            name: "notifications", help: "notify-keyspace-events: check it, add what is missing, or do not look.",
            standard: "verify"))
    static let handler = Setting<BuiltInHandler>.choice(
        OptionRow(
            name: "handler", help: "What to do with an expiration: log it, print a line of JSON, or only count it.",
            standard: "log"))
    static let exec = Setting<CommandWords>(
        row: OptionRow(
            name: "exec", value: "command",
            help: """
                Instead: run this program for each expiration, without a shell; facts in its environment and as JSON on stdin, exit \
                code 0 for handled.
                """, shown: CommandWords.programOnly),
        read: CommandWords.init(parsing:))
    static let execStream = Setting<CommandWords>(
        row: OptionRow(
            name: "exec-stream", value: "command",
            help: """
                Instead: ask this program, which runs on: a line of JSON for each expiration on its stdin, the id on its stdout for \
                handled.
                """, shown: CommandWords.programOnly),
        read: CommandWords.init(parsing:))
    static let concurrency = Setting.number(
        OptionRow(name: "concurrency", value: "n", help: "Handlers at once.", standard: "64"), 1...65_536)
    static let handlerTimeout = Setting.duration(
        OptionRow(
            name: "handler-timeout", value: "duration", help: "Longest run of a handler.", standard: "30s"))
    static let retries = Setting.number(
        OptionRow(name: "retries", value: "n", help: "Attempts after the first.", standard: "5"), 0...1_000_000)
    static let retryDelay = Setting.duration(
        OptionRow(
            name: "retry-delay", value: "duration",
            help: "Wait before the first retry; each further one is twice as long.",
            standard: "100ms"))
    static let longestRetryDelay = Setting.duration(
        OptionRow(
            name: "longest-retry-delay", value: "duration", help: "Longest wait between two attempts.",
            standard: "30s"))
    static let deadLetter = Setting.text(
        OptionRow(
            name: "dead-letter", value: "key", help: "Stream for expirations that no attempt could handle.",
            standardHelp: "they are logged"))
    static let logBytes = Setting.size(
        OptionRow(
            name: "log-bytes", value: "size", help: "Bound of the expiration log, per node.", standard: "64MiB"))
    static let logTotalBytes = Setting.size(
        OptionRow(
            name: "log-total-bytes", value: "size", help: "Bound of the memory of all expiration logs together.",
            standardHelp: "half of the cgroup's limit, else 1GiB"))
    static let logAge = Setting.duration(
        OptionRow(name: "log-age", value: "duration", help: "Bound of the expiration log.", standard: "1m"))
    static let reconcileInterval = Setting.duration(
        OptionRow(
            name: "reconcile-interval", value: "duration",
            help: "How often to look for companions whose key is gone unannounced.", standard: "5m"))
    static let admin = Setting<AdminAddress>(
        row: OptionRow(
            name: "admin", value: "host:port", help: "Health, metrics and status over HTTP; or off.",
            standard: "127.0.0.1:9464")
    ) { text throws(Malformed) in
        do throws(AdminAddress.Malformed) { return try AdminAddress(parsing: text) } catch {
            throw Malformed("cannot be used: \(error.reason); write HOST:PORT, [IPv6]:PORT or off")
        }
    }

    static let rows = [
        notifications.row, handler.row, exec.row, execStream.row, concurrency.row, handlerTimeout.row, retries.row,
        retryDelay.row,
        longestRetryDelay.row,
        deadLetter.row,
        logBytes.row, logTotalBytes.row, logAge.row, reconcileInterval.row, admin.row,
    ]
}

extension ProcessorConfiguration {
    /// Everything that `lapse run` was told about the processor.
    init(_ values: OptionValues) throws(Failure) {
        self.init(
            name: try values(Election.name) ?? "default",
            id: try values(Candidacy.id) ?? ElectionConfiguration.uniqueID(),
            match: try values.all(Wanted.match))
        try connect(values)
        registers = try values(Election.registers)
        lockServers = try values.all(Election.lockServers)
        ignore = try values.all(Wanted.ignore)
        databases = try values.all(Wanted.database)
        companions = try values.all(Wanted.companion)
        deadLetter = try values(Running.deadLetter)
        if let value = try values(Candidacy.leaseTTL) { leaseTTL = value }
        if let value = try values(Running.notifications) { notifications = value }
        if let value = try values(OnTime.punctual) { punctual = value }
        if let value = try values(OnTime.bytes) { punctualBytes = value }
        canary = try values(OnTime.canary)
        if let value = try values(Running.concurrency) { concurrency = value }
        if let value = try values(Running.handlerTimeout) { handlerTimeout = value }
        if let value = try values(Running.retries) { retries = value }
        if let value = try values(Running.retryDelay) { retryDelay = value }
        if let value = try values(Running.longestRetryDelay) { longestRetryDelay = value }
        if let value = try values(Running.logBytes) { logBytes = value }
        logTotalBytes = try values(Running.logTotalBytes)
        if let value = try values(Running.logAge) { logAge = value }
        if let value = try values(LogLines.keys) { logKeys = value }
        if let value = try values(Running.reconcileInterval) { reconcileInterval = value }
        if let value = try values(Candidacy.drain) { drain = value }
        stream = try Streaming.destination(values)
        do { try validate() } catch { throw Failure(error) }
    }
}
