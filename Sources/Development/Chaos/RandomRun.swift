package import Foundation
import ThrowawayRedis

/// Random faults for some minutes under steady traffic, with one ledger at the end.
package struct RandomRun: Sendable {
    package var seed: UInt64
    package var minutes: Double
    package var leaseTTL: Duration
    /// Expirations per second.
    package var rate: Double
    package var nodeTimeout: Duration
    package var binary: String
    package var logs: URL?
    package var replicaOptions: [String] = []
    package var isSupervised = false
    /// Told what is done, as it is done.
    package var tell: @Sendable (String) -> Void

    package init(
        seed: UInt64, minutes: Double, leaseTTL: Duration, rate: Double, nodeTimeout: Duration, binary: String,
        tell: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.seed = seed
        self.minutes = minutes
        self.leaseTTL = leaseTTL
        self.rate = rate
        self.nodeTimeout = nodeTimeout
        self.binary = binary
        self.tell = tell
    }

    package func run() async throws -> Ledger {
        var options = ClusterOptions()
        options.nodeTimeout = nodeTimeout
        return try await ScenarioRun.withStage(
            options, binary: binary, leaseTTL: leaseTTL, pace: .full, extra: replicaOptions,
            isSupervised: isSupervised
        ) { stage in
            do {
                let ledger = try await play(on: stage)
                await stage.group.shutDown()
                if let logs { try stage.keepEvidence(in: logs.appending(path: ledger.scenario)) }
                return ledger
            } catch {
                if let logs { try stage.keepEvidence(in: logs.appending(path: "seed \(seed)")) }
                throw error
            }
        }
    }

    private func play(on stage: Stage) async throws -> Ledger {
        let traffic = ArmedKeys(cluster: stage.cluster)
        let length = minutes * 60
        // A task, since the faults end it and not its own time, which the longest of them may overrun. It is
        // awaited below; where this throws, it is cancelled and the process ends.
        let supply = Task {
            try await traffic.run(rate: rate, ttl: .seconds(1)...(.seconds(2)), duration: .seconds(length + 120))
        }
        defer { supply.cancel() }
        try await Task.sleep(for: .seconds(3))  // Steady traffic before the first fault.
        var composition = Composition(seed: seed)
        var traces: [Trace] = []
        var rounds = 0
        let end = ContinuousClock.now + .seconds(length)
        while ContinuousClock.now < end {
            let round = composition.next()
            rounds += 1
            tell("  \(rounds). \(round)")
            traces += try await stage.play(round)
            try await stage.heal()
            try await Task.sleep(for: .seconds(round.pause))  // Peace.
        }
        supply.cancel()
        let account = try await supply.value
        let settlement = try await Settlement.of(stage, account, traces, prefix: traffic.prefix)
        var ledger = Ledger(
            scenario: "seed \(seed), \(rounds) rounds, lease \(leaseTTL)", announced: settlement.announced,
            unheard: settlement.unheard, handled: settlement.handled, reported: stage.group.reported)
        for trace in traces {
            var quiet = trace
            quiet.note = ""
            ledger.note(quiet, settlement)
        }
        ledger.note = ""
        if let audit = settlement.audit {
            ledger.note(audit, unheard: settlement.unheard, unannounced: settlement.unannounced)
        }
        ledger.note += "announced again: \(settlement.announcedAgain), not announced: \(settlement.unannounced) "
        ledger.note(stage.probe)
        return ledger
    }
}

extension Stage {
    func play(_ round: Composition.Round) async throws -> [Trace] {
        async let first = play(round.nodeFault, round)
        async let second = play(round.replicaFault, round)
        return [try await first, try await second].compactMap(\.self)
    }

    private func play(_ fault: Composition.NodeFault?, _ round: Composition.Round) async throws -> Trace? {
        switch fault {
        case nil: return nil
        case .killMaster: return try await killMaster(round.master)
        case .freezeMaster: return try await freezeMaster(round.master)
        case .failOver: return try await failOver(round.master)
        case .stallMaster:
            var trace = try await stallMaster(round.master)
            // The replicas that could notice may be away.
            trace.problems = []
            return trace
        case .cutFeeds: return try await cutFeedsToOneNode(round.master, for: .seconds(2))
        case .forge:
            try await master(round.master).script((0..<20).map { "PUBLISH __keyevent@0__:expired forged:\($0)" })
            return nil
        }
    }

    private func play(_ fault: Composition.ReplicaFault?, _ round: Composition.Round) async throws -> Trace? {
        if round.nodeFault != nil { try await Task.sleep(for: .seconds(round.delay)) }  // Drawn from the seed.
        switch fault {
        case nil: return nil
        case .killLeader: return try await killLeader()
        case .terminateLeader: return try await terminateLeader()
        case .killFollower:
            let leader = try await group.leader()
            let follower = group.replicas.first { $0 !== leader && $0.isRunning }
            await follower?.killWorker()
            return nil
        case .freezeLeader:
            var trace = try await freezeLeader(for: .seconds(round.length))
            // Shorter than what was left of its lease, and it goes on leading; that no two lead is seen by their
            // terms.
            trace.woke = nil
            return trace
        case .cutLeadersFeeds: return try await cutLeadersFeeds(for: .seconds(round.length))
        case .restartAll:
            for replica in group.replicas {
                _ = await replica.terminate()
                try await group.startAgain(replica, nodes: cluster.liveNodes.count)
            }
            return nil
        }
    }

    /// Every process runs, every node has its place, one replica leads.
    func heal() async throws {
        for node in cluster.nodes where !node.isLive {
            if node.isFrozen { cluster.resume(node) }
            if !node.isRunning { try await cluster.restart(node) }
        }
        try await cluster.waitUntilHealthy(within: .seconds(60))
        for node in cluster.nodes { try await witness.waitUntilSubscribed(to: node) }
        for replica in group.replicas where !replica.isRunning { try await group.startAgain(replica) }
        _ = try await group.leader()
    }
}
