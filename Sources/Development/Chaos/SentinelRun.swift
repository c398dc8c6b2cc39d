import Foundation
import ThrowawayRedis

/// The master of a Sentinel group dies under steady traffic: everything that either server announces is
/// owed.
struct SentinelRun: Sendable {
    var leaseTTL: Duration
    /// Expirations per second.
    var rate: Double
    /// Path of the `lapse` executable.
    var binary: String
    var pace: Pace
    var logs: URL?
    var isSupervised = false

    private static let prefix = "k:"

    func run(title: String, options extra: [String]) async throws -> Ledger {
        let servers = try await ThrowawaySentinel.start()
        do {
            let witness = try await ExpirationWitness.watching(servers.servers)
            let url = servers.sentinels.map { "redis+sentinel://\($0.address)/\(servers.options.name)" }
            let group = try await ReplicaGroup.start(
                binary: binary, redis: url.joined(separator: ","), leaseTTL: leaseTTL, nodes: servers.servers.count,
                extra: extra, isSupervised: isSupervised)
            _ = try await group.leader()
            let probe = AccountProbe(group.replicas)
            defer { probe.stop() }
            async let sent = traffic(servers, for: pace == .full ? 22 : 12)
            try await Task.sleep(for: .seconds(pace.before))  // Steady traffic before the fault.
            let master = try await servers.master()
            await master.kill()
            try await servers.waitForPromotion(after: master, within: .seconds(30))
            let keys = try await sent
            // Promoted, it ends all subscriptions, and what had become due by then it expires before anyone can
            // subscribe again: its counter tells how many.
            let spot = Trace.BlindSpot(node: try await servers.master(), since: .distantPast)
            let ledger = try await settle(title, keys, spot, witness, group, probe)
            await group.shutDown()
            if let logs { try group.copyLogs(to: logs.appending(path: title)) }
            try await witness.stop()
            await servers.shutDown()
            return ledger
        } catch {
            await servers.shutDown()
            throw error
        }
    }

    /// Sets keys on the server that the Sentinels name, ten times a second; one that is dead takes none.
    private func traffic(_ servers: ThrowawaySentinel, for seconds: Double) async throws -> Int {
        let end = ContinuousClock.now + .seconds(seconds)
        var number = 0
        while ContinuousClock.now < end {
            let lines = (0..<Int(rate / 10)).map { index in
                "SET \(Self.prefix)\(number + index) 1 PX \(Int.random(in: 1_000...2_000))"
            }
            if let master = try? await servers.master(), master.isLive, (try? await master.script(lines)) != nil {
                number += lines.count
            }
            try await Task.sleep(for: .milliseconds(100))  // The pace.
        }
        return number
    }

    private func settle(
        _ title: String, _ sent: Int, _ spot: Trace.BlindSpot, _ witness: ExpirationWitness, _ group: ReplicaGroup,
        _ probe: AccountProbe
    ) async throws -> Ledger {
        var last = -1
        try await waitUntil("nothing expires any more", within: .seconds(30), every: .seconds(2)) {
            defer { last = witness.counts.count }
            return witness.counts.count == last ? nil : "\(witness.counts.count) have"
        }
        let owed = Set(witness.counts.keys.filter { $0.hasPrefix(Self.prefix) })
        let unheard = try await spot.unheard(by: witness)
        try? await waitUntil("everything is handled or reported", within: .seconds(40), every: .milliseconds(250)) {
            let open = owed.subtracting(group.handledKeys).count + unheard - group.reported.lost
            return open <= 0 ? nil : "\(open) are neither"
        }
        var announced: [String: Double] = [:]
        for sighting in witness.sightings where owed.contains(sighting.key) && announced[sighting.key] == nil {
            announced[sighting.key] = sighting.time.timeIntervalSince1970
        }
        let handled = group.handled.filter { $0.key.hasPrefix(Self.prefix) }
        var ledger = Ledger(
            scenario: title, announced: announced, unheard: unheard, handled: handled, reported: group.reported)
        let audit = LossAudit(
            witness.sightings, group.reported, handled: Set(handled.map(\.key)), prefix: Self.prefix)
        ledger.note(audit, unheard: unheard, unannounced: 0)
        ledger.note(probe)
        ledger.note += "not announced: \(max(0, sent - owed.count - unheard)) "
        if ledger.lost > unheard { ledger.problems.append("lost \(ledger.lost)") }
        return ledger
    }
}
