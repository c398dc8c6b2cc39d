package import Endpoints
import NIOCore
import NIOSSL

/// How connections are encrypted: whom to trust, and which certificate to show (mutual TLS).
package struct TLSSettings: Sendable {
    private enum Source: Sendable {
        case fixed(NIOSSLContext)
        case files(RenewedTLS<NIOSSLContext>)
    }

    private let source: Source
    /// The name that every server's certificate must bear; nil for the host that is connected to.
    private var serverName: String?

    /// Reads the files, and again for a connection that is made after one of them has changed.
    ///
    /// - Throws: ``RedisError`` of kind `tls`, naming the file.
    package init(_ files: TLSFiles, serverName: String? = nil) throws(RedisError) {
        do {
            source = .files(try RenewedTLS(files) { try NIOSSLContext(configuration: $0) })
        } catch let error as TLSFiles.Unusable {
            throw RedisError(.tls, node: nil, error.description)
        } catch {
            throw RedisError(.tls, node: nil, "the TLS settings cannot be used: \(error)")
        }
        self.serverName = serverName
    }

    private init(_ context: NIOSSLContext) { source = .fixed(context) }

    /// Takes any certificate: enough to find out whether a port speaks TLS, and nothing is said over it
    /// that matters.
    static func trustingAnyone() throws -> TLSSettings {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return TLSSettings(try NIOSSLContext(configuration: configuration))
    }

    func handler(for host: String) throws -> NIOSSLClientHandler {
        let context: NIOSSLContext =
            switch source {
            case .fixed(let context): context
            case .files(let files): files.current()
            }
        if let serverName { return try NIOSSLClientHandler(context: context, serverHostname: serverName) }
        // Server name indication takes names only; an address is verified against the certificate all the
        // same.
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
            return "the server's certificate is for another name: connect by a name it lists, or give that one "
                + "with --tls-server-name"
        }
        if text.contains("PROTOCOL_VERSION") || text.contains("UNSUPPORTED_PROTOCOL") {
            return "the server offers neither TLS 1.2 nor TLS 1.3: allow one of them there (tls-protocols)"
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
