import NIOCore
import NIOSSL

/// How connections are encrypted: whom to trust, and which certificate to show (mutual TLS).
package struct TLSSettings: Sendable {
    private let context: NIOSSLContext

    /// Reads the files once.
    ///
    /// - Parameters:
    ///   - authorityFile: PEM file with the authorities to trust; nil trusts the system's.
    ///   - certificateFile: PEM chain this client shows, with `keyFile` as its key.
    /// - Throws: ``RedisError`` of kind `tls`, naming the file.
    package init(authorityFile: String?, certificateFile: String?, keyFile: String?) throws(RedisError) {
        let files = TLSFiles(authority: authorityFile, certificate: certificateFile, key: keyFile, option: "--tls")
        do {
            context = try NIOSSLContext(configuration: try files.configuration())
        } catch let error as TLSFiles.Unusable {
            throw RedisError(.tls, node: nil, error.description)
        } catch {
            throw RedisError(.tls, node: nil, "the TLS settings cannot be used: \(error)")
        }
    }

    private init(_ context: NIOSSLContext) { self.context = context }

    /// Takes any certificate: enough to find out whether a port speaks TLS, and nothing is said over it that matters.
    static func trustingAnyone() throws -> TLSSettings {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return TLSSettings(try NIOSSLContext(configuration: configuration))
    }

    func handler(for host: String) throws -> NIOSSLClientHandler {
        // Server name indication takes names only; an address is verified against the certificate all the same.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }

    /// One line that says what to mend, for the errors users meet most.
    static func explain(_ error: any Error) -> String? {
        let text = String(describing: error)
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("certificate verify failed") {
            return "the server's certificate is not trusted (expired, or of an unknown authority): check --tls-ca"
        }
        if text.contains("unableToValidateCertificate") || text.contains("hostname") || text.contains("Hostname") {
            return "the server's certificate is for another name: connect by a name it lists"
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("wrong version number") {
            return "the server does not speak TLS on this port: use redis:// or its TLS port"
        }
        if text.contains("CERTIFICATE_REQUIRED") || text.contains("certificate required") {
            return "the server wants a client certificate: give --tls-cert and --tls-key"
        }
        if error is NIOSSLError || text.contains("sslError") || text.contains("BoringSSL") {
            return "the TLS handshake failed: \(text)"
        }
        return nil
    }
}
