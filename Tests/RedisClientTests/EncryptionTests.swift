import Endpoints
import Foundation
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

/// Fault 47: what goes wrong with TLS is one clear line with node and fix.
extension RedisClientServerTests {
    private static func settings(
        _ certificates: ThrowawayCertificates, trusting authority: String? = nil, showing: Bool = false
    ) throws -> ConnectionSettings {
        let tls = try TLSSettings(
            TLSFiles(
                authority: authority ?? certificates.authority.certificate.path,
                certificate: showing ? certificates.client.certificate.path : nil,
                key: showing ? certificates.client.key.path : nil))
        return settings { $0.tls = tls }
    }

    private static func withTLSServer(
        _ choose: (ThrowawayCertificates) -> ServerOptions.TLS,
        _ body: (ThrowawayServer, ThrowawayCertificates) async throws -> Void
    ) async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        try await withServer {
            $0.bind = ["127.0.0.1", "::1"]; $0.tls = choose(certificates)
        } _: {
            try await body($0, certificates)
        }
    }

    private static func expectTLS(_ error: RedisError, _ server: ThrowawayServer, says words: String) {
        #expect(error.kind == .tls, "\(error)")
        #expect(error.isPermanent)
        #expect(error.text.contains(words), "\(error)")
        #expect(error.node?.port == server.port)
        #expect(!error.description.contains("\n"))
    }

    @Test func encryptsByAddressAndByName() async throws {
        try await Self.withTLSServer {
            $0.tls()
        } _: { server, certificates in
            for host in ["127.0.0.1", "localhost", "::1"] {
                let client = Self.client(NodeAddress(host: host, port: server.port), try Self.settings(certificates))
                let reply = try await client.text("PING")
                #expect(reply == "PONG")
                await client.shutDown()
            }
        }
    }

    @Test func showsItsCertificateWhereOneIsWanted() async throws {
        try await Self.withTLSServer {
            $0.tls(requiresClientCertificate: true)
        } _: { server, certificates in
            let client = Self.client(server.node, try Self.settings(certificates, showing: true))
            let reply = try await client.text("PING")
            #expect(reply == "PONG")
            await client.shutDown()
            let error = try await Self.refusal(server, try Self.settings(certificates))
            Self.expectTLS(error, server, says: "--tls-cert")
        }
    }

    @Test func refusesAnUnknownAuthority() async throws {
        let others = try await ThrowawayCertificates.make()
        defer { others.remove() }
        try await Self.withTLSServer {
            $0.tls()
        } _: { server, certificates in
            let settings = try Self.settings(certificates, trusting: others.authority.certificate.path)
            Self.expectTLS(try await Self.refusal(server, settings), server, says: "not trusted")
        }
    }

    @Test func refusesAnExpiredCertificate() async throws {
        try await Self.withTLSServer {
            $0.tls($0.expired)
        } _: { server, certificates in
            let error = try await Self.refusal(server, try Self.settings(certificates))
            Self.expectTLS(error, server, says: "expired")
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func refusesACertificateForAnotherName(_ host: String) async throws {
        try await Self.withTLSServer {
            $0.tls($0.wrongName)
        } _: { server, certificates in
            let address = NodeAddress(host: host, port: server.port)
            let error = try await Self.refusal(server, at: address, try Self.settings(certificates))
            Self.expectTLS(error, server, says: "another name")
        }
    }

    @Test func plainTextToATLSPortIsExplained() async throws {
        try await Self.withTLSServer {
            $0.tls()
        } _: { server, _ in
            Self.expectTLS(try await Self.refusal(server, Self.settings()), server, says: "rediss://")
        }
    }

    @Test func tlsToAPlainPortIsExplained() async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        try await Self.withServer { server in
            var settings = try Self.settings(certificates)
            settings.connectTimeout = .milliseconds(500)
            Self.expectTLS(try await Self.refusal(server, settings), server, says: "does not speak TLS")
        }
    }

    @Test func filesThatCannotBeReadAreNamed() async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        let good = certificates.client.certificate.path
        for (authority, certificate, key, words) in [
            ("/nowhere.pem", nil, nil, "--tls-ca: /nowhere.pem"), (nil, "/nowhere.pem", good, "--tls-cert"),
            (nil, good, "/nowhere.pem", "--tls-key"), (nil, good, nil, "give both"), (nil, nil, good, "give both"),
            (certificates.client.key.path, nil, nil, "--tls-ca"),
        ] {
            let error = #expect(throws: RedisError.self) {
                _ = try TLSSettings(TLSFiles(authority: authority, certificate: certificate, key: key))
            }
            #expect(error?.kind == .tls)
            #expect(error?.text.contains(words) == true, "\(String(describing: error))")
        }
    }
}
