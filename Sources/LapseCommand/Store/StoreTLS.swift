import NIOSSL

/// What `--store-tls-ca`, `--store-tls-cert` and `--store-tls-key` name, read once.
enum StoreTLS {
    static func configuration(
        authority: String?, certificate: String?, key: String?
    ) throws(Failure) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authority {
            configuration.trustRoots = .certificates(
                try read(authority, Election.storeAuthority.row) { try NIOSSLCertificate.fromPEMFile($0) })
        }
        switch (certificate, key) {
        case (let certificate?, let key?):
            let chain = try read(certificate, Election.storeCertificate.row) { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try read(key, Election.storeKey.row) { try NIOSSLPrivateKey(file: $0, format: .pem) })
        case (nil, nil): break
        default: throw .usage("--store-tls-cert and --store-tls-key belong together: give both or none")
        }
        return configuration
    }

    private static func read<Value>(
        _ file: String, _ row: OptionRow, _ body: (String) throws -> Value
    ) throws(Failure) -> Value {
        do { return try body(file) } catch {
            throw .usage("\(row.flag): \(file) cannot be read as PEM: check that it exists and may be read")
        }
    }
}
