import LeaderElection

/// Faults in an order drawn from a seed: some one by one, some of a replica and of a node at the same
/// time.
package struct Composition: Sendable, CustomStringConvertible {
    /// A fault of a replica, with what heals it.
    enum ReplicaFault: String, CaseIterable, Sendable {
        case killLeader = "kill-leader"
        case killFollower = "kill-follower"
        case terminateLeader = "terminate-leader"
        case freezeLeader = "freeze-leader"
        case cutLeadersFeeds = "cut-leaders-feeds"
        case restartAll = "restart-all"
    }

    /// A fault of a node, with what heals it.
    enum NodeFault: String, CaseIterable, Sendable {
        case killMaster = "kill-master"
        case freezeMaster = "freeze-master"
        case failOver = "fail-over"
        case stallMaster = "stall-master"
        case cutFeeds = "cut-feeds"
        case forge
    }

    /// What happens until the world is whole again.
    struct Round: Sendable, CustomStringConvertible {
        var replicaFault: ReplicaFault?
        var nodeFault: NodeFault?
        /// Seconds that the replica's fault comes after the node's.
        var delay: Double
        /// Seconds that a fault lasts, where that can be chosen.
        var length: Double
        /// Which master.
        var master: Int
        /// Seconds of peace afterwards.
        var pause: Double

        var description: String {
            let node = nodeFault.map { "\($0.rawValue)(master \(master))" }
            let replica = replicaFault.map { fault in
                "\(fault.rawValue)(\(Self.tenths(length)) s\(node == nil ? "" : ", after \(Self.tenths(delay)) s"))"
            }
            return [node, replica].compactMap(\.self).joined(separator: " + ")
        }

        private static func tenths(_ seconds: Double) -> String { "\((seconds * 10).rounded() / 10)" }
    }

    package let seed: UInt64
    /// Endless; a run takes as many as fit into its time.
    private var random: RandomSource

    package init(seed: UInt64) {
        self.seed = seed
        random = RandomSource.seeded(seed)
    }

    package var description: String { "seed \(seed)" }

    mutating func next() -> Round {
        // Drawn in any case, so that each round takes the same numbers from the seed.
        let kind = Int.random(in: 0..<4, using: &random)
        var replicaFault = ReplicaFault.allCases.randomElement(using: &random)
        let nodeFault = NodeFault.allCases.randomElement(using: &random)
        // A frozen master repeats itself when it wakes. Repetitions that no replica hears, since all have
        // begun anew meanwhile, count as lost: no replica can tell what they were. An account by keys cannot
        // show that.
        if nodeFault == .freezeMaster, replicaFault == .restartAll, kind > 1 { replicaFault = .terminateLeader }
        return Round(
            replicaFault: kind == 0 ? nil : replicaFault, nodeFault: kind == 1 ? nil : nodeFault,
            delay: Double.random(in: 0...2, using: &random), length: Double.random(in: 0.5...5, using: &random),
            master: Int.random(in: 0..<3, using: &random), pause: Double.random(in: 1...4, using: &random))
    }
}
