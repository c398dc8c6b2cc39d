package import AsyncHTTPClient
package import Endpoints
package import NIOCore
import NIOSSL
import Synchronization

/// The HTTP client of an election store, made anew when its TLS files have changed.
///
/// The one before is kept until the next change: a request that is under way on it is not cut off.
package final class RenewedHTTPClient: Sendable {
    private enum Source: Sendable {
        case fixed(HTTPClient)
        case files(RenewedTLS<HTTPClient>)
    }

    private let source: Source
    private let previous = Mutex<HTTPClient?>(nil)

    package init(_ files: TLSFiles?, connectTimeout: Duration, on eventLoop: any EventLoop) {
        let make = { @Sendable (tls: TLSConfiguration?) in
            var settings = HTTPClient.Configuration(
                tlsConfiguration: tls, redirectConfiguration: .disallow,
                timeout: .init(connect: TimeAmount(connectTimeout)))
            // A stalled request must not hold up others on its connection.
            settings.httpVersion = .http1Only
            // A refused connection is an answer: the next server is asked, or the elector tries again by itself.
            settings.connectionPool.retryConnectionEstablishment = false
            return HTTPClient(eventLoopGroup: eventLoop, configuration: settings)
        }
        if let files, let renewed = try? RenewedTLS(files, make: { make($0) }) {
            source = .files(renewed)
        } else {
            // Never in plain text where encryption is wanted.
            source = .fixed(make(files.map { _ in TLSFiles.systemTrusting }))
        }
    }

    package var current: HTTPClient {
        switch source {
        case .fixed(let client): return client
        case .files(let files): return files.current { retire($0) }
        }
    }

    private func retire(_ client: HTTPClient) {
        let older = previous.withLock { previous in
            defer { previous = client }
            return previous
        }
        older?.shutdown { _ in }
    }

    /// For an owner that ends without ``shutDown()``: a client traps when it is forgotten, and a second
    /// shut-down does nothing.
    package func shutDownLater() {
        current.shutdown { _ in }
        previous.withLock { $0?.shutdown { _ in } }
    }

    package func shutDown() async {
        try? await current.shutdown()
        let older = previous.withLock { previous in
            defer { previous = nil }
            return previous
        }
        try? await older?.shutdown()
    }
}
