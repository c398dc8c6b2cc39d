import RedisClient

/// Which addresses are listened to: one for each node, and for how long one that is not needed. A pure
/// value.
struct FeedPlan: Sendable {
    /// How a feed stands.
    enum Standing: Sendable {
        case subscribed, silent, away
    }

    struct Step: Sendable, Equatable {
        var opens: Set<NodeAddress> = []
        var closes: Set<NodeAddress> = []
    }

    /// Since when each feed has not been needed, in milliseconds since 1970.
    private var unneeded: [NodeAddress: UInt64] = [:]
    /// How long a node may be missing from the topology before its feed is given up, in milliseconds.
    static let patience: UInt64 = 10_000

    /// After a look at the topology, and each second.
    ///
    /// - Parameters:
    ///   - feeds: those that there are.
    ///   - now: milliseconds since 1970.
    mutating func step(_ topology: Topology, _ feeds: [NodeAddress: Standing], now: UInt64) -> Step {
        let needed = Set(
            topology.nodes.map { node in
                topology.addresses(of: node).first { feeds[$0].map { serves($0, topology.mode) } ?? false }
                    ?? node.address
            })
        unneeded = unneeded.filter { feeds[$0.key] != nil && !needed.contains($0.key) }
        var step = Step(opens: needed.subtracting(feeds.keys))
        for address in feeds.keys where !needed.contains(address) {
            let since = unneeded[address, default: now]
            unneeded[address] = since
            if now > since + Self.patience { step.closes.insert(address) }
        }
        for address in step.closes { unneeded[address] = nil }
        return step
    }

    /// Whether a feed goes on under whichever of its node's addresses it has: nothing is gained by a gap. A
    /// silent one may lead to where a node of a cluster was before it was started elsewhere.
    private func serves(_ standing: Standing, _ mode: Topology.Mode) -> Bool {
        switch standing {
        case .subscribed: true
        case .silent: mode != .cluster
        case .away: false
        }
    }
}
