import LeaderElection
import NIOCore
import RedisClient
import Synchronization
import Timing

/// Finds what Redis forgot: sweeps every master for companions whose timer is gone, while this replica
/// leads.
///
/// It sweeps at the begin of the term, after a gap, when a node has restarted or slots have moved, and
/// on an interval. Each master has a sweep of its own, so one that does not answer holds up no other.
final class Reconciler: Sendable {
    private let dependencies: MasterSweep.Dependencies
    private let limits: ReconcileMachine.Limits
    private let watch: TopologyWatch
    private let logs: LogSet
    private let loop: any EventLoop
    private let sweeps = Mutex<[NodeAddress: MasterSweep]>([:])

    init(
        _ dependencies: MasterSweep.Dependencies, limits: ReconcileMachine.Limits, watch: TopologyWatch, logs: LogSet,
        on loop: any EventLoop
    ) {
        self.dependencies = dependencies
        self.limits = limits
        self.watch = watch
        self.logs = logs
        self.loop = loop
    }

    /// Every master is to be swept once more. Ignored while this replica does not lead: a term begins with
    /// a sweep.
    func want(_ reason: ReconcileMachine.Reason) {
        for sweep in sweeps.withLock({ Array($0.values) }) { sweep.want(reason) }
    }

    /// Sweeps until cancelled, at the end of the term.
    func run() async {
        dependencies.companions.beginTerm()
        let bell = Doorbell(on: loop)
        await withDiscardingTaskGroup { group in
            var reasons = SweepReasons()
            repeat {
                guard let topology = watch.current else { continue }
                let isFirst = reasons.isFirst
                for reason in reasons.look(topology, present: Set(logs.all.map(\.runID))) { want(reason) }
                // One for each master, so that one out of reach holds up no other; the group cancels and awaits them.
                for sweep in adjust(to: topology, isFirst: isFirst) { group.addTask { await sweep.run() } }
            } while await bell.wait(upTo: .seconds(1)) != .cancelled
            group.cancelAll()
        }
        sweeps.withLock { $0 = [:] }
    }

    /// Ends the sweeps of nodes that are no masters any more; returns those of new ones.
    private func adjust(to topology: Topology, isFirst: Bool) -> [MasterSweep] {
        let masters = Set(topology.masters.map(\.address))
        let now = SystemClock.read().monotonic
        return sweeps.withLock { sweeps in
            for (address, sweep) in sweeps where !masters.contains(address) {
                sweep.stop()
                sweeps[address] = nil
            }
            let new = masters.subtracting(sweeps.keys).map { address in
                let passes = dependencies.directories.keys.sorted().flatMap { database in
                    dependencies.companions.rules.rules.indices.map { rule in
                        ReconcileMachine.Pass(database: database, rule: rule)
                    }
                }
                return MasterSweep(
                    address, dependencies,
                    ReconcileMachine(passes: passes, limits: limits, reason: isFirst ? .term : .topology, now: now),
                    on: loop)
            }
            for sweep in new { sweeps[sweep.address] = sweep }
            return new
        }
    }
}
