package import NIOSSL

/// The PEM files that tell a client whom to trust, and which certificate to show (mutual TLS): of Redis
/// and of every store.
///
/// Paths of files, which are read again for a connection that is made after one of them has changed.
public struct TLSFiles: Sendable, Hashable {
    /// Why they cannot be used: one line that names the option and the fix.
    package struct Unusable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// The authorities to trust; nil trusts the system's.
    public var authority: String?
    /// The chain that this client shows to a server that asks for one.
    public var certificate: String?
    /// The key of ``certificate``.
    public var key: String?

    /// Encryption with these PEM files; without any, trust in the system's authorities and no certificate
    /// of this client.
    public init(authority: String? = nil, certificate: String? = nil, key: String? = nil) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }

    /// Whether none is named.
    package var isEmpty: Bool { self == TLSFiles() }

    /// Tells whether one of the files has changed since another call.
    var stamps: [FileStamp?] { [authority, certificate, key].map { $0.flatMap { FileStamp($0) } } }

    /// Reads the files.
    ///
    /// - Parameter option: how the names of the options begin that gave the files, for errors: `--tls` for
    ///   `--tls-ca` and so on.
    package func configuration(named option: String = "--tls") throws(Unusable) -> TLSConfiguration {
        var configuration = Self.systemTrusting
        if let authority {
            configuration.trustRoots = .certificates(
                try read(authority, "\(option)-ca") { try NIOSSLCertificate.fromPEMFile($0) })
        }
        switch (certificate, key) {
        case (let certificate?, let key?):
            let chain = try read(certificate, "\(option)-cert") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try read(key, "\(option)-key") { try NIOSSLPrivateKey(file: $0, format: .pem) })
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
                description: "\(what): \(file) cannot be read as PEM: check that it exists and may be read")
        }
    }
}
