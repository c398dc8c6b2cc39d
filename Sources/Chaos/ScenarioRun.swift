package import Foundation
import ThrowawayRedis

/// One scenario against a fresh cluster and three fresh replicas, under steady traffic; ends with its ledger.
package struct ScenarioRun: Sendable {
    package var scenario: Scenario
    package var leaseTTL: Duration
    /// Expirations per second.
    package var rate: Double
    package var nodeTimeout: Duration
    /// Path of the `lapse` executable.
    package var binary: String
    package var pace: Pace
    /// Where to put the replicas' logs; nil throws them away.
    package var logs: URL?
    package var replicaOptions: [String] = []

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
        var options = ClusterOptions()
        options.nodeTimeout = nodeTimeout
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let ledger = try await run(on: cluster)
            await cluster.shutDown()
            return ledger
        } catch {
            await cluster.shutDown()
            throw error
        }
    }

    private func run(on cluster: ThrowawayCluster) async throws -> Ledger {
        let witness = try await ExpirationWitness.watching(cluster.nodes)
        let group = try await ReplicaGroup.start(
            binary: binary, redis: cluster.nodes[0].url, name: "chaos", leaseTTL: leaseTTL, nodes: cluster.nodes.count,
            extra: replicaOptions)
        _ = try await group.leader()
        let traffic = ArmedKeys(cluster: cluster)
        async let account = traffic.run(
            rate: rate, ttl: .seconds(1)...(.seconds(2)), duration: .seconds(scenario.seconds(pace)))
        try await Task.sleep(for: .seconds(pace.before))  // Steady traffic before the fault.
        let trace = try await scenario.strike(cluster, group, witness, pace)
        let armed = try await account
        // What a dead master had acknowledged and not replicated never expires: what was announced is owed, no more.
        try? await witness.waitUntilSeen(Set(armed.acknowledged.keys), within: .seconds(20))
        var announced: [String: Double] = [:]
        for sighting in witness.sightings where sighting.key.hasPrefix(traffic.prefix) && announced[sighting.key] == nil
        {
            announced[sighting.key] = sighting.time.timeIntervalSince1970
        }
        let owed = Set(announced.keys)
        try? await waitUntil("every announced key is handled", within: .seconds(20)) {
            let handled = Set(group.handled.map(\.key))
            let missing = owed.subtracting(handled)
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
        try await Task.sleep(for: .seconds(1))  // For duplicates that would still come.
        let handled = group.handled
        var ledger = Ledger(
            scenario: "\(scenario.rawValue), lease \(leaseTTL)", announced: announced, handled: handled)
        ledger.note = trace.note
        if let woke = trace.woke {
            let late = handled.count { $0.replica == woke.replica && $0.term == woke.term && $0.time > woke.at }
            ledger.afterWaking = late
            ledger.note += "after waking: \(late)"
        }
        let unannounced = armed.acknowledged.count - owed.intersection(armed.acknowledged.keys).count
        if unannounced > 0 { ledger.note += " never announced: \(unannounced)" }
        let again = witness.counts.filter { owed.contains($0.key) }.values.reduce(0) { $0 + $1 - 1 }
        ledger.announcedAgain = again
        if again > 0 { ledger.note += " announced again: \(again)" }
        await group.shutDown()
        if let logs { try group.copyLogs(to: logs.appending(path: ledger.scenario)) }
        try await witness.stop()
        return ledger
    }
}
