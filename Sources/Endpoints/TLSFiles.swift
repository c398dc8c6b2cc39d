package import NIOSSL

/// The PEM files that tell a client whom to trust, and which certificate to show (mutual TLS): of Redis and of every store.
package struct TLSFiles: Sendable {
    /// Why they cannot be used: one line that names the option and the fix.
    package struct Unusable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// The authorities to trust; nil trusts the system's.
    private let authority: String?
    /// The chain this client shows, with `key` as its key.
    private let certificate: String?
    private let key: String?
    private let option: String

    /// - Parameter option: how the names of the options begin that gave the files: `--tls` for `--tls-ca` and so on.
    package init(authority: String?, certificate: String?, key: String?, option: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.option = option
    }

    /// Tells whether one of the files has changed since another call.
    var stamps: [FileStamp?] { [authority, certificate, key].map { $0.flatMap { FileStamp($0) } } }

    /// Reads the files.
    package func configuration() throws(Unusable) -> TLSConfiguration {
        var configuration = Self.systemTrusting
        if let authority {
            configuration.trustRoots = .certificates(
                try read(authority, "ca") { try NIOSSLCertificate.fromPEMFile($0) })
        }
        switch (certificate, key) {
        case (let certificate?, let key?):
            let chain = try read(certificate, "cert") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try read(key, "key") { try NIOSSLPrivateKey(file: $0, format: .pem) })
        case (nil, nil): break
        default: throw Unusable(description: "\(option)-cert and \(option)-key belong together: give both or none")
        }
        return configuration
    }

    /// Trusts the system's authorities, and speaks nothing older than TLS 1.2 (RFC 8996).
    package static var systemTrusting: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }

    private func read<Value>(
        _ file: String, _ what: String, _ body: (String) throws -> Value
    ) throws(Unusable) -> Value {
        do { return try body(file) } catch {
            throw Unusable(
                description: "\(option)-\(what): \(file) cannot be read as PEM: check that it exists and may be read")
        }
    }
}
