/// How many connections the admin port keeps, and for which address: no peer takes the port from the
/// others.
///
/// The surplus is closed, not left in the backlog, where it would stand before the probes of others.
package struct ConnectionShares: Sendable {
    private let total: Int
    private let perPeer: Int
    private var open: [String: Int] = [:]
    private var count = 0

    package init(total: Int, perPeer: Int) {
        self.total = total
        self.perPeer = perPeer
    }

    /// Whether a new connection of this peer is kept. One that is kept is given back by ``left(_:)``.
    package mutating func admits(_ peer: String) -> Bool {
        guard count < total, open[peer, default: 0] < perPeer else { return false }
        count += 1
        open[peer, default: 0] += 1
        return true
    }

    package mutating func left(_ peer: String) {
        guard let kept = open[peer] else { return }
        count -= 1
        // Addresses that have left are forgotten: a table of all that ever came would only grow.
        open[peer] = kept > 1 ? kept - 1 : nil
    }
}
