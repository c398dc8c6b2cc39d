package import Foundation

/// Certificates for tests of TLS, made by `openssl` in a directory of their own.
package final class ThrowawayCertificates: Sendable {
    /// A certificate and its private key, as PEM files.
    package struct Pair: Sendable {
        package let certificate: URL
        package let key: URL
    }

    package let directory: URL
    /// The authority that signed all of them.
    package let authority: Pair
    /// For 127.0.0.1, ::1 and localhost.
    package let server: Pair
    package let client: Pair
    /// Like `server`, but valid in 2020 only.
    package let expired: Pair
    /// For `elsewhere.example` only.
    package let wrongName: Pair
    /// For `localhost` only, as certificates without addresses are.
    package let nameOnly: Pair

    /// Makes all of them, in about a tenth of a second.
    package static func make() async throws -> ThrowawayCertificates {
        let directory = try Leftovers.makeDirectory("certificates")
        do {
            return try await ThrowawayCertificates(in: directory)
        } catch {
            Leftovers.removeDirectory(directory)
            throw error
        }
    }

    private init(in directory: URL) async throws {
        let issuer = Issuer(directory: directory)
        self.directory = directory
        authority = try await issuer.makeAuthority()
        let local = "IP:127.0.0.1,IP:::1,DNS:localhost"
        server = try await issuer.issue("server", names: local)
        client = try await issuer.issue("client", names: "DNS:client")
        expired = try await issuer.issue("expired", names: local, from: "20200101000000Z", to: "20200201000000Z")
        wrongName = try await issuer.issue("wrong-name", names: "DNS:elsewhere.example")
        nameOnly = try await issuer.issue("name-only", names: "DNS:localhost")
    }

    deinit { Leftovers.removeDirectory(directory) }

    /// Options of a server that shows `pair` (its own by default).
    package func tls(_ pair: Pair? = nil, requiresClientCertificate: Bool = false) -> ServerOptions.TLS {
        let pair = pair ?? server
        return ServerOptions.TLS(
            certificate: pair.certificate, key: pair.key, authority: authority.certificate,
            requiresClientCertificate: requiresClientCertificate,
            clientCertificate: client.certificate, clientKey: client.key)
    }

    package func remove() { Leftovers.removeDirectory(directory) }
}

/// A certificate authority in a directory.
private struct Issuer {
    let directory: URL

    func makeAuthority() async throws -> ThrowawayCertificates.Pair {
        let pair = pair("ca")
        try await openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
            "-subj", "/CN=throwaway authority", "-keyout", pair.key.path, "-out", pair.certificate.path,
        ])
        let configuration = """
            [ca]
            default_ca = throwaway
            [throwaway]
            database = \(directory.path)/index.txt
            new_certs_dir = \(directory.path)
            rand_serial = yes
            default_md = sha256
            default_days = 30
            policy = any
            copy_extensions = copy
            unique_subject = no
            [any]
            commonName = supplied
            """
        try Data(configuration.utf8).write(to: directory.appending(path: "ca.cnf"))
        try Data().write(to: directory.appending(path: "index.txt"))
        return pair
    }

    func issue(
        _ name: String, names: String, from start: String? = nil, to end: String? = nil
    ) async throws -> ThrowawayCertificates.Pair {
        let pair = pair(name)
        let request = directory.appending(path: "\(name).csr").path
        try await openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)", "-keyout", pair.key.path, "-out", request,
        ])
        // `openssl ca`, because `x509 -req` cannot set both ends of the validity.
        var command = [
            "ca", "-batch", "-notext", "-config", "\(directory.path)/ca.cnf", "-keyfile", self.pair("ca").key.path,
            "-cert", self.pair("ca").certificate.path, "-in", request, "-out", pair.certificate.path,
        ]
        if let start { command += ["-startdate", start] }
        if let end { command += ["-enddate", end] }
        try await openssl(command)
        return pair
    }

    private func pair(_ name: String) -> ThrowawayCertificates.Pair {
        .init(
            certificate: directory.appending(path: "\(name).crt"), key: directory.appending(path: "\(name).key"))
    }

    private func openssl(_ arguments: [String]) async throws {
        let run = try await CommandRun.of("openssl", arguments, within: .seconds(20))
        guard run.succeeded else {
            throw ThrowawayRedisError("openssl \(arguments.joined(separator: " ")): \(run.output)")
        }
    }
}
