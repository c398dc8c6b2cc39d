import LeaderElection
import RedisClient
import Synchronization
import Timing

/// What is kept for nodes goes some time after they have left.
extension RunningProcessor {
    /// After each look: nodes of a cluster may have other addresses now.
    func follow(_ topology: Topology) {
        guard topology.mode == .cluster else { return }
        metrics.follow(topology.aliases)
        account.follow(topology.aliases)
    }

    /// - Parameter now: milliseconds since 1970.
    func forgetAbsent(_ parts: Parts, now: UInt64) async {
        guard let topology = watch.current else { return }
        let present = Set(topology.nodes.map(\.address)).union(topology.aliases.keys).union(deployment.seeds.addresses)
        let directories = [commands, locks, streams, canaryNodes] + companions.values + questions.values
        let mentioned = directories.reduce(metrics.addresses) { $0.union($1.addresses) }
            .union(parts.keeper.latest.values.compactMap { NodeAddress($0.node) })
        let gone = absent.withLock { $0.look(present: present, mentioned: mentioned, now: now) }
        guard !gone.isEmpty else { return }
        for directory in directories { await directory.forget(gone) }
        metrics.forget(gone)
        account.forget(gone.map { "\($0)" })
        logs.forget(gone)
    }

    /// Whether a node, `host:port`, has been away for so long that nothing of it is needed.
    func isAbsent(_ node: String) -> Bool {
        NodeAddress(node).map { address in
            absent.withLock { $0.isAbsent(address, now: WallClock.milliseconds()) }
        } ?? false
    }

    /// A follower forgets the progress that the leader has removed, where it would have removed it itself.
    func forgetRemoved(_ parts: Parts, _ reading: ProgressReading) {
        let known = parts.keeper.latest
        let now = SystemClock.read().monotonic
        let gone = removed.withLock { $0.look(known, reading, now: now) }
        guard !gone.isEmpty else { return }
        parts.keeper.forget(logs.replaced(gone, isAbsent: isAbsent))
    }
}
