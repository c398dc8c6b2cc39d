import Foundation
import ThrowawayRedis

/// Faults of the Redis nodes.
extension Stage {
    /// Returns once its replica has taken its place.
    func killMaster(_ index: Int = 0) async throws -> Trace {
        let master = try await master(index)
        let replica = try await replica(of: master)
        await cluster.kill(master)
        try await cluster.waitUntilRole(replica, .master, within: .seconds(40))
        return Trace()
    }

    /// It resumes only after its replica has taken its place, and emits again what that has emitted.
    func freezeMaster(_ index: Int = 0) async throws -> Trace {
        let master = try await master(index)
        let replica = try await replica(of: master)
        cluster.freeze(master)
        try await cluster.waitUntilRole(replica, .master, within: .seconds(40))
        try await Task.sleep(for: .seconds(2))  // Long enough for a backlog.
        cluster.resume(master)
        try await cluster.waitUntilRole(master, .replica, within: .seconds(40))
        return Trace()
    }

    func failOver(_ index: Int = 0) async throws -> Trace {
        try await cluster.failover(try await replica(of: try await master(index)))
        return Trace()
    }

    func addMaster() async throws -> Trace {
        let node = try await cluster.addNode()
        try await witness.add(node)
        try await cluster.rebalance(onto: node)
        return Trace()
    }

    /// All its slots move to a neighbour, and it leaves for good.
    func removeMaster() async throws -> Trace {
        let masters = try await cluster.masters()
        try await cluster.moveSlots(count: .max, from: masters[0], to: masters[1])
        try await cluster.forget(masters[0])
        return Trace()
    }

    /// Slots of the first master move to the second one and back, a few at a time: the view changes at
    /// every look.
    func moveSlotsToAndFro(for seconds: Double) async throws -> Trace {
        let masters = try await cluster.masters()
        let end = ContinuousClock.now + .seconds(seconds)
        var moves = 0
        while ContinuousClock.now < end {
            let pair = moves % 2 == 0 ? (masters[0], masters[1]) : (masters[1], masters[0])
            try await cluster.moveSlots(count: 16, from: pair.0, to: pair.1)
            moves += 1
        }
        return Trace(note: "\(moves) moves ")
    }

    /// It stops for less than the time after which its replica would take its place: no connection breaks.
    func stallMaster(_ index: Int = 0) async throws -> Trace {
        let master = try await master(index)
        let silences = group.count(of: "subscription silent")
        cluster.freeze(master)
        try await Task.sleep(for: cluster.options.nodeTimeout * 0.7)  // The fault itself.
        cluster.resume(master)
        var trace = Trace()
        if group.count(of: "subscription silent") == silences {
            trace.problems.append("no replica noticed the silence")
        }
        return trace
    }

    /// Dies and comes back with what it last saved. What expired meanwhile it drops without a word.
    func restartNode(after time: Duration) async throws -> Trace {
        let node = try await master()
        try await node.cli("SAVE")
        await cluster.kill(node)
        let died = Date()
        try await Task.sleep(for: time)  // The fault itself.
        try await cluster.restart(node)
        var trace = Trace()
        trace.blind = [.init(node: node, since: died)]
        return trace
    }

    private func replica(of master: ThrowawayServer) async throws -> ThrowawayServer {
        guard let replica = try await cluster.replicas(of: master).first else {
            throw ThrowawayRedisError("\(master.address) has no replica")
        }
        return replica
    }
}
