import Endpoints
package import ExpirationStream
package import Lapse
import LeaderElection
import LeaderElectionRedis
package import RedisClient

/// The smallest ACL user that can do all that Lapse does, as the lines that create it.
///
/// Since Redis 7.0 a new user has no channels, and the commands inside scripts are checked one by one.
/// `client|setinfo` is never sent: on 7.0 its mere mention would refuse the whole line.
package struct AccessRights: Sendable {
    package var user: String
    package var name: String
    /// Standalone and Sentinel need no cluster commands; nil grants them.
    package var mode: Topology.Mode?
    /// Lapse may set `notify-keyspace-events` (`--notifications set`, `doctor --fix`). CONFIG SET cannot be
    /// granted for one setting alone: such a user can change them all.
    package var setsNotifications = false
    /// The stream for dead letters, if there is one.
    package var deadLetter: String?
    /// The stream that gets the expirations, if there is one.
    package var stream: StreamKeys?
    /// With companion rules Lapse reads and deletes companions, and asks whether their timers exist.
    package var companions: CompanionRules?
    /// Lapse makes the servers announce on time: it asks for the keys in ``wanted``, and listens to what
    /// sets TTLs.
    package var punctual = ProcessorConfiguration.Punctual.off
    /// The keys whose expirations are wanted, as globs; empty for all.
    package var wanted: [String] = []
    /// The databases whose expirations are wanted.
    package var databases = [0]
    /// Companions are read in a database that is not 0.
    package var selectsDatabase = false

    package init(user: String?, name: String, mode: Topology.Mode? = nil) {
        self.user = user ?? "lapse"
        self.name = name
        self.mode = mode
    }

    /// What `lapse run` needs with this configuration. Throws ``LapseError`` for a companion rule that is
    /// none.
    package init(
        _ configuration: ProcessorConfiguration, _ deployment: Deployment, mode: Topology.Mode?
    ) throws(LapseError) {
        self.init(user: deployment.settings.credentials?.user, name: configuration.name, mode: mode)
        setsNotifications = configuration.notifications == .set
        deadLetter = configuration.deadLetter
        stream = configuration.stream?.keys
        companions = try CompanionRules(configuration.companions)
        punctual = configuration.punctual
        wanted = configuration.match
        databases = configuration.databases.isEmpty ? [deployment.database ?? 0] : configuration.databases
        selectsDatabase = configuration.databases.contains { $0 != 0 } || deployment.database ?? 0 != 0
    }

    /// What stands where the password belongs.
    package static let passwordPlace = "PASSWORD"

    /// One channel each database.
    static let eventChannels = "&__keyevent@*__:expired"

    /// Every key that Lapse writes under this name.
    static func keyPattern(_ name: String) -> String { "~{lapse-*}:\(escaped(name)):*" }

    /// Where marks and releases are announced.
    static func controlChannel(_ name: String) -> String { "&\(escaped(ElectionKeys.channel(name)))" }

    /// What runs scripts, what they call, and what replicas repair each other's logs with.
    static let scriptCommands = [
        "+eval", "+evalsha", "+script|load", "+get", "+set", "+del", "+pexpire", "+pttl", "+hget", "+hset", "+hgetall",
        "+hdel", "+zadd", "+zremrangebyscore", "+zrange", "+rpush", "+lpop", "+time", "+info", "+publish",
    ]

    /// The line for every Redis server, replicas too: rights are kept per server.
    package var line: String {
        var words = ["ACL", "SETUSER", user, "on", ">\(Self.passwordPlace)", "resetkeys", Self.keyPattern(name)]
        words += deadLetterPatterns
        words += streamPatterns
        words += companionPatterns
        words += punctualPatterns
        words += ["resetchannels", Self.eventChannels, Self.controlChannel(name)]
        if punctual == .track { words += Self.hintChannels }
        words.append("-@all")
        words += ["+ping", "+client|setname", "+subscribe", "+multi", "+exec"] + Self.scriptCommands
        if deadLetter != nil { words += Self.deadLetterCommands }
        if stream != nil { words += Self.streamCommands.filter { !words.contains($0) } }
        words += companionCommands
        if punctual != .off { words += punctualCommands.filter { !words.contains($0) } }
        if mode == nil || mode == .cluster { words += ["+cluster|nodes", "+asking"] }
        words.append("+config|get")
        if setsNotifications { words.append("+config|set") }
        return words.joined(separator: " ")
    }

    var deadLetterPatterns: [String] { deadLetter.map { ["~\(Self.escaped($0))"] } ?? [] }

    /// Appending a dead letter, seeing that the key is a stream, and counting.
    static let deadLetterCommands = ["+xadd", "+type", "+xlen"]

    /// The partitions of the stream, and what stands beside them.
    var streamPatterns: [String] {
        guard let stream else { return [] }
        let key = Self.escaped(stream.key)
        let layout = Self.escaped(stream.layout.dropLast("layout".count).description)
        // Names of partitions follow from their number: all that they may ever have.
        return stream.partitions == [stream.key] ? ["~\(key)", "~\(layout)*"] : ["~\(layout)*", "~\(key):{p*}*"]
    }

    /// What appending calls; in one script, so that an entry and the memory of it are one step.
    static let streamCommands = [
        "+xadd", "+type", "+xlen", "+xtrim", "+xrange", "+xinfo|groups", "+xpending", "+hmget", "+hsetnx", "+wait",
    ]

    /// The keys that companion rules speak of.
    var companionPatterns: [String] {
        (companions?.rules ?? []).flatMap { ["~\($0.timer.glob)", "~\($0.companion.glob)"] }
    }

    /// What companion rules need besides the commands of the scripts.
    var companionCommands: [String] {
        guard let companions, !companions.isEmpty else { return [] }
        return ["+exists", "+scan", "+strlen"] + (selectsDatabase ? ["+select"] : [])
    }

    /// The keys that are asked for: globs as Redis itself reads them.
    var punctualPatterns: [String] {
        punctual == .off ? [] : wanted.isEmpty ? ["~*"] : wanted.map { "~\($0)" }
    }

    /// What sets TTLs, in each database.
    static let hintChannels = HintChannel.all.map { "&\($0)" }

    /// `+pexpiretime` is not known before 7.0, where the line must do without it.
    var punctualCommands: [String] {
        ["+scan"] + (punctual == .track ? ["+pexpiretime"] : []) + (selectsDatabase ? ["+select"] : [])
    }

    /// The line for every Sentinel; nil where there is none.
    package var sentinelLine: String? {
        guard mode == .sentinel else { return nil }
        return "ACL SETUSER \(user) on >\(Self.passwordPlace) -@all +ping +client|setname "
            + "+sentinel|master +sentinel|replicas +sentinel|sentinels"
    }

    /// A name as part of an ACL pattern, which is a glob.
    private static func escaped(_ name: String) -> String {
        String(name.flatMap { #"*?[]\^"#.contains($0) ? ["\\", $0] : [$0] })
    }
}
