import AsyncHTTPClient
import Endpoints
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Timing

/// The HTTP client of a webhook, made anew when its TLS files have changed: authorities are renewed
/// while the process runs.
///
/// The one before is kept until no request can be under way on it.
final class WebhookClients: Sendable {
    private enum Source: Sendable {
        case fixed(HTTPClient)
        case files(RenewedTLS<HTTPClient>)
    }

    /// A request and its connection run on one loop: on two, the end of a request may come behind its whole
    /// answer, and a connection that is closed just then ends the process (AsyncHTTPClient 1.37, "A
    /// connection that we don't know was released").
    private let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let source: Source
    private let longestRequest: TimeAmount
    private let retired = Mutex<[HTTPClient]>([])

    /// - Parameter timeout: of one request, its connection included.
    init(_ files: TLSFiles?, timeout: Duration, connections: Int) throws {
        let limit = TimeAmount.nanoseconds(timeout.inNanoseconds)
        let make = { @Sendable [loop] (tls: TLSConfiguration?) in
            var configuration = HTTPClient.Configuration(
                tlsConfiguration: tls, redirectConfiguration: .disallow,
                timeout: .init(connect: min(limit, .seconds(5)), read: limit))
            // One slow answer must not hold up others on its connection.
            configuration.httpVersion = .http1Only
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
            configuration.connectionPool.retryConnectionEstablishment = false
            return HTTPClient(eventLoopGroupProvider: .shared(loop), configuration: configuration)
        }
        longestRequest = limit
        guard let files else {
            source = .fixed(make(nil))
            return
        }
        // Names the option where the files cannot be used.
        _ = try files.configuration(named: "--webhook-tls")
        source = .files(try RenewedTLS(files) { make($0) })
    }

    // Where a start fails behind it: a client that is dropped open ends the process.
    deinit { Self.close(all[...], loop) }

    var current: HTTPClient {
        switch source {
        case .fixed(let client): client
        case .files(let files): files.current { retire($0) }
        }
    }

    private func retire(_ client: HTTPClient) {
        retired.withLock { $0.append(client) }
        loop.next().scheduleTask(in: longestRequest + .seconds(1)) { [weak self] in
            self?.retired.withLock { $0.removeAll { $0 === client } }
            client.shutdown { _ in }
        }
    }

    private var all: [HTTPClient] {
        let current = current
        return retired.withLock { $0 } + [current]
    }

    /// Ends the connections of all. One that was retired may have ended already, which is the only error.
    func shutDown() async {
        for client in all { try? await client.shutdown() }
        try? await loop.shutdownGracefully()
    }

    /// The loop last: a client needs it for its end.
    private static func close(_ clients: ArraySlice<HTTPClient>, _ loop: MultiThreadedEventLoopGroup) {
        guard let client = clients.first else { return loop.shutdownGracefully { _ in } }
        client.shutdown { _ in close(clients.dropFirst(), loop) }
    }
}
