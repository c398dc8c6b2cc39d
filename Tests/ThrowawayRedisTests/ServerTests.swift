import Foundation
import Testing
import ThrowawayRedis

extension ThrowawayRedisTests {
    @Test func leavesNothingBehind() async throws {
        let server = try await ThrowawayServer.start()
        let pid = try #require(server.pid)
        let pong = try await server.cli("PING")
        #expect(pong == "PONG")
        try await server.restart()
        #expect(server.pid != pid)
        let last = try #require(server.pid)
        await server.shutDown()
        #expect(!server.isRunning)
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(last)"))
        #expect(!FileManager.default.fileExists(atPath: server.directory.path))
    }

    @Test func saysWhyItDoesNotStart() async throws {
        var options = ServerOptions()
        options.extra = ["replicaof nonsense"]
        await #expect {
            _ = try await ThrowawayServer.start(options)
        } throws: {
            "\($0)".contains("wrong number of arguments")
        }
    }

    @Test func aTLSServerAnswersAndAsksForACertificate() async throws {
        let certificates = try await ThrowawayCertificates.make()
        var options = ServerOptions()
        options.password = "secret"
        options.bind = ["127.0.0.1", "::1"]
        options.tls = certificates.tls(requiresClientCertificate: true)
        let server = try await ThrowawayServer.start(options)
        let pong = try await server.cli("PING")
        #expect(pong == "PONG")
        await server.shutDown()

        options.tls = certificates.tls(certificates.expired)
        let expired = try await ThrowawayServer.start(options)
        await #expect(throws: ThrowawayRedisError.self) { try await expired.cli("PING") }
        await expired.shutDown()
        certificates.remove()
        #expect(!FileManager.default.fileExists(atPath: certificates.directory.path))
    }

    @Test(arguments: ["tls", "IPv6", "hostname"])
    func aClusterOfAnotherKindForms(_ kind: String) async throws {
        let certificates = try await ThrowawayCertificates.make()
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        switch kind {
        case "tls": options.server.tls = certificates.tls()
        case "IPv6": options.server.bind = ["::1"]
        default: options.announcedHostname = "localhost"
        }
        try await Self.withCluster(options) { cluster in
            let masters = try await cluster.masters()
            #expect(masters.count == 3)
        }
        certificates.remove()
    }
}
