package import Foundation
import ThrowawayRedis

/// One scenario against a fresh cluster and three fresh replicas, under steady traffic; ends with its
/// ledger.
package struct ScenarioRun: Sendable {
    package var scenario: Scenario
    package var leaseTTL: Duration
    /// Expirations per second.
    package var rate: Double
    package var nodeTimeout: Duration
    /// Path of the `lapse` executable.
    package var binary: String
    /// Another build of it, for ``Scenario/upgrade``.
    package var otherBinary: String?
    package var pace: Pace
    /// Where to put the replicas' logs; nil throws them away.
    package var logs: URL?
    package var replicaOptions: [String] = []
    /// Each replica is a worker below a parent; faults of replicas are done to the worker.
    package var isSupervised = ThrowawayReplica.isSupervisedByDefault

    package init(
        _ scenario: Scenario, leaseTTL: Duration, rate: Double, nodeTimeout: Duration = .seconds(5), pace: Pace = .full,
        binary: String
    ) {
        self.scenario = scenario
        self.leaseTTL = leaseTTL
        self.rate = rate
        self.nodeTimeout = nodeTimeout
        self.binary = binary
        self.pace = pace
    }

    package func run() async throws -> Ledger {
        if scenario == .sentinelFailover {
            return try await SentinelRun(
                leaseTTL: leaseTTL, rate: rate, binary: binary, pace: pace, logs: logs, isSupervised: isSupervised
            )
            .run(title: title, options: replicaOptions)
        }
        var options = ClusterOptions()
        options.nodeTimeout = nodeTimeout
        options.replicasPerMaster = scenario.replicasPerMaster
        if scenario.replicasPerMaster == 0 { options.server.extra = ["cluster-require-full-coverage no"] }
        return try await Self.withStage(
            options, binary: binary, otherBinary: otherBinary, leaseTTL: leaseTTL, pace: pace,
            extra: scenario.replicaOptions + replicaOptions, handler: scenario.output.handler,
            isSupervised: isSupervised, hasReaders: scenario.hasReaders
        ) { stage in
            var stage = stage
            stage.output = scenario.output
            if stage.output == .workers { stage.workers = try await stage.startWorkers(binary: binary) }
            let ledger = try await scenario.hasCompanions ? withCompanions(stage) : withTraffic(stage)
            await stage.group.shutDown()
            for worker in stage.workers { await worker.kill() }
            if let logs { try stage.keepEvidence(in: logs.appending(path: ledger.scenario)) }
            return ledger
        }
    }

    /// Sets the stage, and clears it whatever happens.
    static func withStage<Result: Sendable>(
        _ options: ClusterOptions, binary: String, otherBinary: String? = nil, leaseTTL: Duration, pace: Pace,
        extra: [String], handler: [String] = Stage.Output.replicas.handler, isSupervised: Bool = false,
        hasReaders: Bool = false, _ play: (Stage) async throws -> Result
    ) async throws -> Result {
        var options = options
        options.server.users = [ReplicaGroup.userLine]
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let witness = try await ExpirationWitness.watching(cluster.nodes)
            let group = try await ReplicaGroup.start(
                binary: binary, redis: ReplicaGroup.urls(cluster.nodes), leaseTTL: leaseTTL,
                nodes: cluster.nodes.count, extra: extra, handler: handler, isSupervised: isSupervised,
                hasReaders: hasReaders)
            _ = try await group.leader()
            let probe = AccountProbe(group.replicas)
            defer { probe.stop() }
            let result = try await play(
                Stage(
                    cluster: cluster, group: group, witness: witness, pace: pace, probe: probe,
                    builds: (otherBinary, binary)))
            try await witness.stop()
            await cluster.shutDown()
            return result
        } catch {
            await cluster.shutDown()
            throw error
        }
    }

    private var title: String { "\(scenario.rawValue), lease \(leaseTTL)\(isSupervised ? ", supervised" : "")" }

    /// What Redis announces is owed: handled, or reported as lost.
    private func withTraffic(_ stage: Stage) async throws -> Ledger {
        let traffic = ArmedKeys(cluster: stage.cluster)
        async let account = traffic.run(
            rate: rate, ttl: .seconds(1)...(.seconds(2)), duration: .seconds(scenario.seconds(pace)))
        try await Task.sleep(for: .seconds(pace.before))  // Steady traffic before the fault.
        let trace = try await scenario.strike(stage)
        let settlement = try await Settlement.of(stage, await account, [trace], prefix: traffic.prefix)
        var ledger = Ledger(
            scenario: title, announced: settlement.announced, unheard: settlement.unheard,
            handled: settlement.handled, reported: stage.group.reported)
        ledger.note(trace, settlement)
        if let audit = settlement.audit {
            ledger.note(audit, unheard: settlement.unheard, unannounced: settlement.unannounced)
        }
        ledger.note(stage.probe)
        try await stage.audit(&ledger, settlement, scenario)
        if ![.resetAndForged, .nodeRestart, .streamResetAndKilled].contains(scenario) {
            ledger.problems += try await stage.differencesFromCounters()
        }
        if scenario.losesSome, ledger.reported == 0 {
            ledger.problems.append("nothing was lost, so nothing was tested")
        }
        if !scenario.mayLose, ledger.lost > 0 { ledger.problems.append("lost \(ledger.lost)") }
        return ledger
    }

    /// Every key is owed, whether a replica heard of it or not.
    private func withCompanions(_ stage: Stage) async throws -> Ledger {
        let keys = CompanionKeys(cluster: stage.cluster, count: pace.companions)
        let due = try await keys.arm()
        if scenario == .nodeCutCompanions {
            // A cut during which nothing expires would test nothing.
            try await waitUntil("the first have expired", within: .seconds(30)) {
                stage.witness.counts.keys.contains { due[$0] != nil } ? nil : "not yet"
            }
        }
        let trace = try await scenario.strike(stage)
        try? await waitUntil("every key is handled", within: .seconds(90), every: .milliseconds(250)) {
            let missing = Set(due.keys).subtracting(stage.group.handledKeys)
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
        try await Task.sleep(for: .seconds(1))  // For duplicates that would still come.
        let handled = stage.group.handled.filter { $0.key.hasPrefix(CompanionKeys.prefix) }
        var ledger = Ledger(
            scenario: title, announced: due, unheard: 0, handled: handled, reported: stage.group.reported)
        ledger.isReconciled = true
        let heard = stage.witness.counts.keys.count { due[$0] != nil }
        ledger.note =
            trace.note + "announced \(heard), found by companions \(handled.count { $0.origin == "reconcile" })"
        ledger.problems += trace.problems
        ledger.note(stage.probe)
        if ledger.lost > 0 { ledger.problems.append("lost \(ledger.lost)") }
        let left = try await keys.left()
        if left > 0 { ledger.problems.append("companions left: \(left)") }
        return ledger
    }
}
