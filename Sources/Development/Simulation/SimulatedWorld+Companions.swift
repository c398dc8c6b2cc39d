import Lapse
import LeaderElection
import RedisClient
import Timing

/// One master's sweep for companions without a timer, while its replica leads.
final class Sweep {
    let node: SimulatedNode
    var machine: ReconcileMachine
    var isStopped = false

    init(_ node: SimulatedNode, _ machine: ReconcileMachine) {
        self.node = node
        self.machine = machine
    }
}

extension SimulatedWorld {
    /// Each second: sweeps begin and end with the masters, and are wanted anew when something came or
    /// moved.
    func reconcileSoon(_ replica: Replica, _ body: Body) {
        guard replica.body === body, body.phase == .running || body.phase == .draining else { return }
        if let topology = replica.topology?.topology {
            let isFirst = body.sweepReasons.isFirst
            for reason in body.sweepReasons.look(topology, present: Set(replica.logs.all.map(\.runID))) {
                for sweep in body.sweeps { sweep.machine.want(reason) }
            }
            let masters = topology.masters.map(\.address)
            for sweep in body.sweeps where !masters.contains(where: { server(at: $0) === sweep.node }) {
                sweep.isStopped = true
            }
            body.sweeps.removeAll(where: \.isStopped)
            for node in nodes
            where masters.contains(where: { server(at: $0) === node })
                && !body.sweeps.contains(where: { $0.node === node })
            {
                var limits = ReconcileMachine.Limits()
                limits.interval = .seconds(2)
                limits.grace = .milliseconds(400)
                let sweep = Sweep(
                    node,
                    ReconcileMachine(
                        passes: [.init(database: 0, rule: 0)], limits: limits, reason: isFirst ? .term : .topology,
                        now: replica.clock.read(now).monotonic))
                body.sweeps.append(sweep)
                run(sweep, replica, body)
            }
        }
        after(.seconds(1), in: replica) { [unowned self] in reconcileSoon(replica, body) }
    }

    private func run(_ sweep: Sweep, _ replica: Replica, _ body: Body) {
        guard replica.body === body, body.phase == .running || body.phase == .draining, !sweep.isStopped else { return }
        switch sweep.machine.next(now: replica.clock.read(now).monotonic) {
        case .wait(let time):
            after(max(time, .milliseconds(1)), in: replica) { [unowned self] in run(sweep, replica, body) }
        case .scan: scan(sweep, replica, body)
        case .look(let orphans): look(orphans, sweep, replica, body)
        }
    }

    private func scan(_ sweep: Sweep, _ replica: Replica, _ body: Body) {
        let shard = sweep.node.shard
        ask(replica, node: sweep.node, timeout: .seconds(1)) { [unowned self] in
            let found = shards[shard].companions.map { Array($0) }.sorted { $0.lexicographicallyPrecedes($1) }
            return found.compactMap { companion -> ReconcileMachine.Orphan? in
                guard let timer = companionRules.rules[0].timer(of: companion), !timerExists(timer, shard) else {
                    return nil
                }
                return ReconcileMachine.Orphan(timer: timer, database: 0)
            }
        } done: { [unowned self] (missing: [ReconcileMachine.Orphan]?) in
            let time = replica.clock.read(now).monotonic
            if let missing {
                _ = sweep.machine.scanned(missing.count, missing: missing, cursor: "0", now: time)
            } else {
                sweep.machine.failed(now: time)
            }
            run(sweep, replica, body)
        }
    }

    private func look(_ orphans: [ReconcileMachine.Orphan], _ sweep: Sweep, _ replica: Replica, _ body: Body) {
        let shard = sweep.node.shard
        ask(replica, node: sweep.node, timeout: .seconds(1)) { [unowned self] in
            orphans.filter { !timerExists($0.timer, shard) }
        } done: { [unowned self] (missing: [ReconcileMachine.Orphan]?) in
            // What an earlier term asked is none of this one's business.
            guard replica.body === body else { return }
            let clock = replica.clock
            var again = orphans
            if let missing {
                let offered = missing.map {
                    Delivery($0, at: "\(sweep.node.address)", now: clock.milliseconds(now))
                }
                again = replica.deliveryMachine.offer(offered).map {
                    ReconcileMachine.Orphan(timer: $0.key.bytes, database: $0.database)
                }
                carryOutActions(replica, body)
            }
            sweep.machine.putBack(again, now: clock.read(now).monotonic)
            pump(replica)
            run(sweep, replica, body)
        }
    }

    /// The value has been handled: the companion goes, unless its timer is back.
    func settleCompanion(_ delivery: Delivery, _ replica: Replica) {
        guard let (companion, _) = companionRules.companion(of: delivery.key.bytes) else { return }
        let shard = self.shard(of: delivery.key.bytes)
        ask(replica, node: nodes[shards[shard].master], timeout: .seconds(1)) { [unowned self] in
            if !timerExists(delivery.key.bytes, shard) { shards[shard].companions.remove(companion) }
        } done: { _ in
        }
    }
}
