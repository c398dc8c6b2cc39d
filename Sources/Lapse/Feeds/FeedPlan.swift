import RedisClient

/// Which addresses are listened to: one for each node, and for how long one that is not needed. A pure
/// value.
struct FeedPlan: Sendable {
    /// How a feed stands.
    enum Standing: Sendable {
        case subscribed
        /// - Parameter holding: the process whose log it fills; nil when a byte has come since the silence
        ///   began.
        case silent(holding: String?)
        case away
        /// The process that answers there was met, and another feed fills its log.
        ///
        /// - Parameter refusals: how often the feed was turned away for that.
        case waiting(for: String, refusals: Int)
    }

    struct Step: Sendable, Equatable {
        var opens: Set<NodeAddress> = []
        var closes: Set<NodeAddress> = []
    }

    /// Since when each feed has not been needed, by the monotonic clock.
    private var unneeded: [NodeAddress: Duration] = [:]
    /// For each silent feed that is not needed, how often others had waited for its process when the
    /// silence was first seen.
    private var refused: [NodeAddress: Int] = [:]
    /// How long a node may be missing from the topology before its feed is given up.
    static let patience = Duration.seconds(10)
    /// A process that was frozen may answer at another address first when it wakes. Twice, and not a byte
    /// here, means that this connection is dead.
    static let refusalsThatTell = 2

    /// After a look at the topology, and each second.
    ///
    /// - Parameters:
    ///   - feeds: those that there are.
    ///   - now: by the monotonic clock.
    mutating func step(_ topology: Topology, _ feeds: [NodeAddress: Standing], now: Duration) -> Step {
        let needed = Set(
            topology.nodes.map { node in
                topology.addresses(of: node).first { feeds[$0].map { serves($0, topology.mode) } ?? false }
                    ?? node.address
            })
        unneeded = unneeded.filter { feeds[$0.key] != nil && !needed.contains($0.key) }
        var step = Step(opens: needed.subtracting(feeds.keys))
        for (address, standing) in feeds where !needed.contains(address) {
            let since = unneeded[address, default: now]
            unneeded[address] = since
            if now > since + Self.patience || isInTheWay(address, standing, feeds) { step.closes.insert(address) }
        }
        for address in step.closes { unneeded[address] = nil }
        refused = refused.filter { unneeded[$0.key] != nil }
        return step
    }

    /// Whether a feed keeps its process' log from the feeds at addresses where the process answers.
    private mutating func isInTheWay(
        _ address: NodeAddress, _ standing: Standing, _ feeds: [NodeAddress: Standing]
    ) -> Bool {
        guard case .silent(holding: let process?) = standing else {
            refused[address] = nil
            return false
        }
        let refusals = feeds.values.reduce(0) { sum, feed in
            if case .waiting(for: process, refusals: let refusals) = feed { sum + refusals } else { sum }
        }
        let before = refused[address, default: refusals]
        refused[address] = min(before, refusals)
        return refusals >= before + Self.refusalsThatTell
    }

    /// Whether a feed goes on under whichever of its node's addresses it has: nothing is gained by a gap. A
    /// silent one may lead to where a node of a cluster was before it was started elsewhere.
    private func serves(_ standing: Standing, _ mode: Topology.Mode) -> Bool {
        switch standing {
        case .subscribed: true
        case .silent: mode != .cluster
        case .away, .waiting: false
        }
    }
}
