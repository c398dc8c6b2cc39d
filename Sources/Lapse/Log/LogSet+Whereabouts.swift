package import RedisClient

/// A log is known by its node's address, and nodes get other addresses.
extension LogSet {
    /// Nodes of a cluster may have other addresses now: their logs are known by those from now on.
    package func follow(_ topology: Topology) {
        guard topology.mode == .cluster else { return }
        for log in all {
            let address = log.address
            let home =
                log.nodeID.flatMap { topology.whereabouts(of: $0, metAt: address) } ?? topology.aliases[address]
            guard let home, home != address else { continue }
            log.move(to: home)
            moved(from: address, to: home, log.runID)
        }
    }
}
