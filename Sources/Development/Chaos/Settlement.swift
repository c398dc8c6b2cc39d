import Foundation
import ThrowawayRedis

/// What was announced and what was handled, once nothing more comes.
struct Settlement: Sendable {
    /// When each key was first announced, in seconds since 1970.
    var announced: [String: Double] = [:]
    /// Announced where the witness could not hear it, as the nodes count.
    var unheard = 0
    var handled: [ThrowawayReplica.Handled] = []
    /// Announcements beyond the first of a key.
    var announcedAgain = 0
    /// What the replicas call lost, key by key.
    var audit: LossAudit?
    /// Acknowledged by Redis, and never announced.
    var unannounced = 0

    /// Waits until everything owed has been handled or reported, or a while has passed.
    static func of(
        _ stage: Stage, _ armed: ArmedKeys.Account, _ traces: [Trace], prefix: String
    ) async throws -> Settlement {
        // What a dead master had acknowledged and not replicated never expires: what was announced is owed, no
        // more.
        let acknowledged = Set(armed.acknowledged.keys)
        try? await waitUntil("everything has expired", within: .seconds(20), every: .milliseconds(250)) {
            let missing = acknowledged.subtracting(stage.witness.counts.keys)
            if missing.isEmpty { return nil }
            return try await stage.hasVolatileKeys ? "\(missing.count) are missing" : nil
        }
        var settlement = Settlement()
        for sighting in stage.witness.sightings
        where sighting.key.hasPrefix(prefix) && settlement.announced[sighting.key] == nil {
            settlement.announced[sighting.key] = sighting.time.timeIntervalSince1970
        }
        for trace in traces {
            for spot in trace.blind { settlement.unheard += try await spot.unheard(by: stage.witness) }
        }
        let owed = Set(settlement.announced.keys)
        let unheard = settlement.unheard
        try? await waitUntil("everything is handled or reported", within: .seconds(40), every: .milliseconds(250)) {
            let handled = try await Set(stage.handled().lazy.map(\.key).filter { $0.hasPrefix(prefix) })
            let open = Ledger.emitted(owed, handled, unheard: unheard) - handled.count - stage.group.reported.lost
            return open <= 0 ? nil : "\(open) are neither"
        }
        try await Task.sleep(for: .seconds(2))  // For duplicates that would still come.
        settlement.handled = try await stage.handled().filter { $0.key.hasPrefix(prefix) }
        settlement.announcedAgain =
            stage.witness.counts.filter { owed.contains($0.key) }.values.reduce(0) { $0 + $1 - 1 }
        settlement.audit = LossAudit(
            stage.witness.sightings, stage.group.reported, handled: Set(settlement.handled.map(\.key)), prefix: prefix)
        settlement.unannounced = acknowledged.subtracting(owed).count
        return settlement
    }
}

extension Stage {
    /// Whether any live master still has a key that will expire.
    var hasVolatileKeys: Bool {
        get async throws {
            for master in try await cluster.masters() {
                let keyspace = try await master.cli(["INFO", "keyspace"], within: .seconds(2))
                guard let expires = keyspace.split(separator: "expires=").dropFirst().first?.prefix(while: \.isNumber)
                else { continue }
                if (Int(expires) ?? 0) > 1 { return true }
            }
            return false
        }
    }
}

extension Stage {
    /// Where one replica has led all along, what it answers for is what the nodes have counted since they
    /// began.
    func differencesFromCounters() async throws -> [String] {
        guard group.count(of: "became leader") == 1 else { return [] }
        var differences: [String] = []
        for node in cluster.liveNodes {
            let counter = try await node.info("expired_keys").flatMap { Int($0) } ?? 0
            do {
                try await waitUntil("the account of \(node.address) is complete", within: .seconds(10)) {
                    let announced = probe.last[node.address]?.announced
                    return announced == counter ? nil : "counter \(counter), account \(announced ?? -1)"
                }
            } catch {
                differences.append("\(error)")
            }
        }
        return differences
    }
}
