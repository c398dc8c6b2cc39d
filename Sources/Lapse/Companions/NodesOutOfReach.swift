package import RedisClient

/// Nodes that did not answer a question about a companion lately. A pure value.
///
/// Each question to a node that does not answer holds a lane until its time limit. So after one such
/// question the node is not asked for a while, and then by one lane alone: its answer opens the way for
/// all.
package struct NodesOutOfReach: Sendable {
    private struct Closed {
        var until: Duration
        var isTried: Bool
    }

    private var closed: [NodeAddress: Closed] = [:]
    private let pause: Duration

    package init(pause: Duration = .seconds(1)) { self.pause = pause }

    /// Whether the node may be asked now. After true, ``answered(_:)`` or ``failed(_:now:)`` is to follow.
    package mutating func mayAsk(_ node: NodeAddress, now: Duration) -> Bool {
        guard let state = closed[node] else { return true }
        guard state.until <= now, !state.isTried else { return false }
        closed[node]?.isTried = true
        return true
    }

    package mutating func answered(_ node: NodeAddress) {
        if closed[node] != nil { closed[node] = nil }
    }

    package mutating func failed(_ node: NodeAddress, now: Duration) {
        closed[node] = Closed(until: now + pause, isTried: false)
    }
}
