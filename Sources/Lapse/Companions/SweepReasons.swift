package import RedisClient

/// Why every master is to be swept once more: node processes came, or slots moved. Of one term.
package struct SweepReasons {
    private var seen: Topology?
    private var processes: Set<String> = []

    package init() {}

    /// Whether nothing has been looked at yet.
    package var isFirst: Bool { seen == nil }

    /// - Parameter present: the run IDs of the processes heard of.
    package mutating func look(_ topology: Topology, present: Set<String>) -> [ReconcileMachine.Reason] {
        defer {
            seen = topology
            processes = present
        }
        guard let seen else { return [] }
        var reasons: [ReconcileMachine.Reason] = []
        if !present.isSubset(of: processes) { reasons.append(.restart) }
        if !seen.isSame(as: topology) { reasons.append(.topology) }
        return reasons
    }
}
