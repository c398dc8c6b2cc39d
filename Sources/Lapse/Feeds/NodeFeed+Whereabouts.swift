import RedisClient
import Timing

/// An address is only where a node was last seen.
extension NodeFeed {
    /// The address of the node that is listened to, as the others know it now.
    var home: NodeAddress { dependencies.watch.current?.canonicalAddress(of: address) ?? address }

    /// Whether the address belongs to another node of the cluster now: this one has another.
    func isReassigned(_ nodeID: String?) -> Bool {
        guard let nodeID, let topology = dependencies.watch.current, topology.mode == .cluster,
            let node = topology.node(at: address)
        else { return false }
        return node.id != nodeID
    }

    /// The feed's own log, and those of the processes before it at any of its node's addresses.
    func logs(beside own: NodeLog) -> [NodeLog] {
        let home = home
        return dependencies.logs.all.filter { log in
            if log === own { return true }
            let address = log.address
            return (address == home || address == self.address) && !log.isSubscribed
        }
    }
}

extension FeedDependencies {
    /// The log of the process met at an address; nil while another feed fills it. In a cluster it stands
    /// under the address that its node has now, as it does after each look.
    func claim(_ process: MetProcess, at address: NodeAddress) -> NodeLog? {
        let home = process.nodeID.flatMap { watch.current?.whereabouts(of: $0, metAt: address) } ?? address
        return logs.claim(
            process.runID, of: process.nodeID, at: home, uptime: process.uptime, now: WallClock.milliseconds())
    }
}
