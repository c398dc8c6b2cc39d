import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Certificates that stand for names, in deployments whose servers announce names or addresses.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct NamedServerTests {
    private func handlesAKeyOfEachMaster(
        _ cluster: ThrowawayCluster, _ certificates: ThrowawayCertificates, _ options: [String]
    ) async throws {
        let replica = try ThrowawayReplica(
            id: "a", binary: Binary.lapse,
            arguments: ["--name", "names", "--lease-ttl", "2s", "--admin", "off"] + options + [
                "--tls-ca", certificates.authority.certificate.path,
            ])
        try await replica.start()
        // Three slots, one on each master.
        let keys = ["{b}", "{c}", "{a}"]
        try await waitUntil("a listens to every master and leads", within: .seconds(30)) {
            replica.count(of: " subscribed ") >= 3 && replica.count(of: "became leader") == 1 ? nil : replica.log
        }
        // Each at every node: a redirection may lead to a name that cannot be resolved, and only the owner
        // takes it.
        for key in keys {
            for node in cluster.nodes { _ = try? await node.cli("SET", key, "", "PX", "300") }
        }
        try await waitUntil("a key of each master is handled", within: .seconds(30)) {
            let handled = Set(replica.handled.map(\.key))
            return handled.isSuperset(of: keys) ? nil : "\(handled)\n\(replica.log.suffix(2_000))"
        }
        #expect(Set(replica.handled.map(\.node)).count == 3)
        await replica.kill()
    }

    private func cluster(
        _ certificates: ThrowawayCertificates, _ pair: ThrowawayCertificates.Pair, announced: String?
    ) async throws -> ThrowawayCluster {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.announcedHostname = announced
        options.server.tls = certificates.tls(pair)
        return try await ThrowawayCluster.start(options)
    }

    @Test("row 74: a TLS cluster announces host names, and its certificates bear nothing else")
    func announcedNames() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let cluster = try await cluster(certificates, certificates.nameOnly, announced: "localhost")
        let port = cluster.nodes[0].port
        try await handlesAKeyOfEachMaster(cluster, certificates, ["--redis", "rediss://localhost:\(port)"])
        await cluster.shutDown()
    }

    @Test("row 74: a TLS cluster announces addresses, and its certificates bear the endpoint's name only")
    func endpointNameOnly() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let cluster = try await cluster(certificates, certificates.wrongName, announced: nil)
        try await handlesAKeyOfEachMaster(
            cluster, certificates,
            ["--redis", "rediss://\(cluster.nodes[0].address)", "--tls-server-name", "elsewhere.example"])
        await cluster.shutDown()
    }

    @Test("row 74: names are announced that this machine cannot resolve, addresses are used instead")
    func unresolvableNames() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let cluster = try await cluster(certificates, certificates.server, announced: "redis.invalid")
        try await handlesAKeyOfEachMaster(
            cluster, certificates,
            ["--redis", "rediss://\(cluster.nodes[0].address)", "--announced", "ip"])
        await cluster.shutDown()
    }

    @Test("row 73: Sentinels with TLS and a password of their own, servers without TLS")
    func sentinelTLS() async throws {
        let certificates = try await ThrowawayCertificates.make()
        var options = SentinelOptions()
        options.sentinelPassword = "watch"
        options.sentinelTLS = certificates.tls()
        options.replicas = 0
        options.sentinels = 1
        options.quorum = 1
        let servers = try await ThrowawaySentinel.start(options)
        let password = FileManager.default.temporaryDirectory.appending(path: "sentinel-\(UUID()).txt")
        try Data("watch\n".utf8).write(to: password)
        defer { try? FileManager.default.removeItem(at: password) }
        let replica = try ThrowawayReplica(
            id: "a", binary: Binary.lapse,
            arguments: ["--redis", servers.url, "--name", "names", "--lease-ttl", "2s", "--admin", "off"] + [
                "--sentinel-tls", "on", "--sentinel-password-file", password.path,
                "--tls-ca", certificates.authority.certificate.path,
            ])
        try await replica.start()
        try await waitUntil("a leads", within: .seconds(30)) {
            replica.count(of: "became leader") == 1 ? nil : replica.log
        }
        _ = try await servers.servers[0].cli("SET", "key", "", "PX", "300")
        try await waitUntil("the key is handled", within: .seconds(20)) {
            replica.handled.map(\.key) == ["key"] ? nil : replica.log.suffix(2_000).description
        }
        await replica.kill()
        await servers.shutDown()
    }
}
