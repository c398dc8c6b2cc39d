import Chaos
import Foundation
import Synchronization
import Testing
import ThrowawayRedis

/// Nodes of a cluster that get another announced name or address while their processes go on.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RenamedNodesTests {
    enum Change: CaseIterable, CustomTestStringConvertible {
        case hostName, hostNameWithTLS, address

        var setting: [String] {
            switch self {
            case .hostName, .hostNameWithTLS: ["cluster-announce-hostname", "localhost"]
            case .address: ["cluster-announce-ip", "127.0.0.2"]
            }
        }

        var host: String { setting[1] }
        var testDescription: String { setting.joined(separator: " ") + (self == .hostNameWithTLS ? " with TLS" : "") }
    }

    private static let each = 600

    /// Keys of which each master announces thirty a second, for twenty seconds.
    private func arm(_ masters: [ThrowawayServer]) async throws {
        for master in masters {
            let tag = try await master.tag()
            try await master.cli(
                "EVAL", "for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i, '', 'PX', 500 + i * 33) end", "1",
                "{\(tag)}k", "\(Self.each)")
        }
    }

    @Test(
        "row 60: nodes get another announced name under load: no feed is cut, nothing waits, nothing is lost",
        arguments: Change.allCases)
    func announcedAnew(_ change: Change) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.bind = ["127.0.0.1", "127.0.0.2"]
        let certificates = try await ThrowawayCertificates.make()
        var extra = change == .hostName ? ["--announced", "name"] : []
        if change == .hostNameWithTLS {
            options.server.tls = certificates.tls()
            extra = ["--tls-ca", certificates.authority.certificate.path]
        }
        let cluster = try await ThrowawayCluster.start(options)
        let masters = try await cluster.masters()
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: cluster.urls, name: "renamed", leaseTTL: .seconds(2), nodes: 3,
            extra: extra)
        _ = try await group.leader()
        try await arm(masters)
        try await waitUntil("expirations flow", within: .seconds(20)) {
            group.handledKeys.count > 100 ? nil : "not yet"
        }
        for node in cluster.nodes { try await node.cli(["CONFIG", "SET"] + change.setting) }
        var unready: [String] = []
        try await waitUntil("everything is handled", within: .seconds(60)) {
            for replica in group.replicas {
                if let readiness = await replica.readiness, readiness.status != 200 { unready.append(readiness.text) }
            }
            let count = group.handledKeys.count
            let lost = group.reported.lost
            return count + lost >= 3 * Self.each ? nil : "\(count) are, \(lost) lost, \(unready)"
        }
        #expect(group.reported.lost == 0 && unready.isEmpty, "\(unready)")
        #expect(group.count(of: "two addresses lead to one server") == 6)
        #expect(group.count(of: " subscribed") == 6 && group.count(of: "subscription lost") == 0)
        #expect(Set(group.handled.suffix(60).map(\.node)) == Set(masters.map { "\(change.host):\($0.port)" }))
        for replica in group.replicas {
            let page = try await replica.page("metrics")
            for master in masters {
                #expect(page.contains("lapse_subscription_up{node=\"\(change.host):\(master.port)\"} 1"), "\(page)")
                #expect(!page.contains("127.0.0.1:\(master.port)"), "\(page)")
            }
        }
        // Feeds that are cut now come back, at whichever address.
        for master in masters { try await master.cli("CLIENT", "KILL", "TYPE", "pubsub") }
        try await waitUntil("every node is listened to again", within: .seconds(20)) {
            group.count(of: " subscribed") >= 12 ? nil : "not yet"
        }
        for master in masters {
            let tag = try await master.tag()
            try await master.script((0..<50).map { "SET {\(tag)}l\($0) v PX 200" })
        }
        try await waitUntil("what expires then is handled", within: .seconds(30)) {
            let count = group.handledKeys.count
            return count == 3 * (Self.each + 50) ? nil : "\(count) are, \(group.reported.lost) lost"
        }
        #expect(group.reported.lost == 0)
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 60: a node gets another address, and its former one leads nowhere without a word: all is handled")
    func formerAddressIsDead() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        let cluster = try await ThrowawayCluster.start(options)
        let masters = try await cluster.masters()
        let (moved, others) = (masters[0], Array(masters.dropFirst()))
        let (relay, present) = (try Relay(to: moved), try Relay(to: moved))
        func announce(_ port: Int) async throws {
            try await moved.cli("CONFIG", "SET", "cluster-announce-port", "\(port)")
            for node in others {
                try await waitUntil("\(node.address) knows it", within: .seconds(30)) {
                    let table = try await node.cli("CLUSTER", "NODES")
                    return table.contains("127.0.0.1:\(port)@") ? nil : table
                }
            }
        }
        try await announce(relay.port)
        // Long enough for no lock to run out unheard.
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: others.map(\.url).joined(separator: ","), name: "dead",
            leaseTTL: .seconds(15), nodes: 3)
        _ = try await group.leader()
        #expect(group.replicas.allSatisfy { $0.log.contains(" subscribed  node=\(relay.address)") })
        let isDead = Mutex(false)
        relay.onRequests { _, bytes in if isDead.withLock({ $0 }) { bytes = [] } }
        relay.onAnswers { _, bytes in if isDead.withLock({ $0 }) { bytes = [] } }
        isDead.withLock { $0 = true }
        let connections = Mutex<Set<Int>>([])
        present.onRequests { number, _ in connections.withLock { _ = $0.insert(number) } }
        try await announce(present.port)
        try await waitUntil("both replicas listen at the present address", within: .seconds(30)) {
            group.replicas.allSatisfy { $0.log.contains(" subscribed  node=\(present.address)") } ? nil : "not yet"
        }
        // Each refusal takes a connection, and they go on until the silent feed is gone.
        let count = connections.withLock(\.count)
        #expect(count < 40, "\(count) connections were needed")
        let tag = try await moved.tag()
        try await moved.script((0..<50).map { "SET {\(tag)}k\($0) v PX 200" })
        try await waitUntil("what expires there is handled", within: .seconds(30)) {
            let count = group.handledKeys.count
            return count == 50 ? nil : "\(count) are, \(group.reported.lost) lost"
        }
        #expect(group.reported.lost == 0)
        await group.shutDown()
        relay.shutDown()
        present.shutDown()
        await cluster.shutDown()
    }
}
