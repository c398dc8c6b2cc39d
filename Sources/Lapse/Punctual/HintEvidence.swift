/// Whether one connection's hints can be relied on. Pure: times are the own monotonic clock's.
///
/// The server's flags decide, as they were last known: a look that fails says nothing else. As long as
/// they were never known, only a hint that has come proves that there are any.
struct HintEvidence: Sendable {
    /// How long no hint may come while the flags are unknown before that is said.
    private static let patience = Duration.seconds(60)

    private let begunAt: Duration
    private var flags: String?
    private var hasHeard = false
    /// Looks in a row at which the feed listened to another process.
    private var looksElsewhere = 0
    /// Feed and hints do not move at one moment.
    private static let enoughElsewhere = 3

    /// The connection stands since then.
    init(begunAt: Duration) { self.begunAt = begunAt }

    /// - Parameters:
    ///   - flags: the server's `notify-keyspace-events`; nil while unknown.
    ///   - hasHeard: whether this connection has brought a hint.
    mutating func looked(flags: String?, hasHeard: Bool) {
        if let flags { self.flags = flags }
        self.hasHeard = hasHeard
    }

    /// Whether the feed listens to another process now, at the same address: a connection that stands stays
    /// with the server that it was made to, wherever new ones lead.
    ///
    /// - Parameter feed: the process that the feed listens to; nil while it listens to none.
    mutating func isElsewhere(own: String, feed: String?) -> Bool {
        guard let feed else { return false }
        looksElsewhere = feed == own ? 0 : looksElsewhere + 1
        return looksElsewhere >= Self.enoughElsewhere
    }

    var areHeard: Bool { flags.map { Notifications.suffice($0, withHints: true) } ?? hasHeard }

    /// Whether it is worth a word that nothing is known: there may be nothing to tell.
    func isInDoubt(now: Duration) -> Bool { flags == nil && !hasHeard && now >= begunAt + Self.patience }
}
