import RedisClient

/// Which addresses have not belonged to the deployment for long: what is kept for them can go.
///
/// Nodes that come back under other addresses would otherwise leave a connection, metrics and progress
/// behind each time.
struct AbsentNodes: Sendable {
    /// When each address was last seen, in milliseconds since 1970.
    private var lastSeen: [NodeAddress: UInt64] = [:]
    /// How long one may be away, in milliseconds.
    let patience: UInt64
    /// Past it nothing is kept, unless a log is kept for longer.
    private static let longest = Duration.seconds(3_000)

    /// - Parameter logAge: the longest that logs are kept: while they are, what is known of their node is
    ///   needed.
    init(logAge: Duration) {
        let patience = min(logAge * 10, max(logAge * 2, Self.longest))
        self.patience = UInt64(max(patience.components.seconds, 1)) * 1_000
    }

    /// - Parameters:
    ///   - present: the addresses of the deployment now.
    ///   - mentioned: addresses for which something is kept.
    ///   - now: milliseconds since 1970.
    /// - Returns: the addresses that have been away for too long.
    mutating func look(
        present: Set<NodeAddress>, mentioned: Set<NodeAddress>, now: UInt64
    ) -> Set<NodeAddress> {
        for address in present { lastSeen[address] = now }
        for address in mentioned where lastSeen[address] == nil { lastSeen[address] = now }
        // A clock that was set back must not keep them for ever.
        for (address, at) in lastSeen where at > now { lastSeen[address] = now }
        let gone = Set(lastSeen.keys.filter { isAbsent($0, now: now) })
        for address in gone.subtracting(mentioned) { lastSeen[address] = nil }
        return gone
    }

    /// Whether an address has been away for too long.
    func isAbsent(_ address: NodeAddress, now: UInt64) -> Bool {
        lastSeen[address].map { now > $0 && now - $0 > patience } ?? false
    }
}
