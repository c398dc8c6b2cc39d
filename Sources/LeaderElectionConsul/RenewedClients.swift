import AsyncHTTPClient
import Endpoints
import NIOSSL
import Synchronization

/// The HTTP client of a store, made anew when its TLS files have changed.
///
/// The one before is kept until the next change: a request that is under way on it is not cut off.
final class RenewedClients: Sendable {
    private enum Source: Sendable {
        case fixed(HTTPClient)
        case files(RenewedTLS<HTTPClient>)
    }

    private let source: Source
    private let previous = Mutex<HTTPClient?>(nil)

    init(_ files: TLSFiles?, make: @escaping @Sendable (TLSConfiguration?) -> HTTPClient) {
        if let files, let renewed = try? RenewedTLS(files, make: { make($0) }) {
            source = .files(renewed)
        } else {
            // Never in plain text where encryption is wanted.
            source = .fixed(make(files.map { _ in TLSFiles.systemTrusting }))
        }
    }

    var current: HTTPClient {
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

    func shutDownLater() {
        current.shutdown { _ in }
        previous.withLock { $0?.shutdown { _ in } }
    }

    func shutDown() async {
        try? await current.shutdown()
        let older = previous.withLock { previous in
            defer { previous = nil }
            return previous
        }
        try? await older?.shutdown()
    }
}
