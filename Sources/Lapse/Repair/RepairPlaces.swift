import LeaderElection
import LeaderElectionRedis

/// Where questions are published and answers put: beside the lock, and in a cluster on other nodes too.
///
/// The node that keeps the first place may be the very one that cannot be reached.
package struct RepairPlaces: Sendable {
    private let keys: [ElectionKeys]

    /// - Parameter isSpread: in a cluster, where different slots lie on different nodes.
    package init(name: String, isSpread: Bool) {
        let first = LockTags.tags(1)[0]
        let others = isSpread ? LockTags.tags(3).filter { $0 != first } : []
        keys = ([first] + others).map { ElectionKeys(tag: $0, name: name) }
    }

    package var count: Int { keys.count }

    /// The key for a nonce, or for an account.
    package func key(_ nonce: String) -> String {
        let place = RepairRequest.place(of: nonce)
        return keys[keys.indices.contains(place) ? place : 0].repair(nonce)
    }
}
