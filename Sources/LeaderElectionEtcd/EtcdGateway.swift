import AsyncHTTPClient
import Endpoints
import Foundation
import HTTPClients
import LeaderElection
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// etcd's HTTP/JSON gateway (gRPC would need generated code), at the first endpoint that answers; every
/// request may be repeated at another.
///
/// One event loop for requests and connections: `async` calls would cancel on the cooperative pool,
/// which handlers may block, and on two loops AsyncHTTPClient 1.37 may end the process ("A connection
/// that we don't know was released").
final class EtcdGateway: Sendable {
    private enum Login {
        case none
        case token(String)
        /// A user was given, yet this etcd asks for none.
        case isOff
    }

    let eventLoop: any EventLoop
    private let clients: RenewedHTTPClient
    private let configuration: EtcdConfiguration
    private let logger: Logger
    /// Counts up when an endpoint fails.
    private let turn = Atomic(0)
    private let login = Mutex(Login.none)
    private let prefixes: Mutex<[EtcdPrefix]>

    init(
        _ configuration: EtcdConfiguration, on group: any EventLoopGroup, logger: Logger, first: EtcdPrefix = .v3
    ) {
        self.configuration = configuration
        self.logger = logger
        prefixes = Mutex(configuration.endpoints.map { _ in first })
        let eventLoop = group.any()
        self.eventLoop = eventLoop
        clients = RenewedHTTPClient(configuration.tls, connectTimeout: configuration.connectTimeout, on: eventLoop)
    }

    /// The endpoint that is asked now.
    var endpoint: String { configuration.endpoints[current].authority }

    func shutDown() async { await clients.shutDown() }

    /// One call and its answer, at each endpoint in turn until one does not fail.
    func call<Reply: Decodable & Sendable>(
        _ method: EtcdMethod, _ message: some Encodable & Sendable, _ reply: Reply.Type = Reply.self
    ) async throws(EtcdFailure) -> Reply {
        let line = try await send(method, try Self.encode(message), for: configuration.requestTimeout) { _ in false }
        return try Self.decode(line)
    }

    /// A stream of messages, as far as the first that is `enough`; nil when `limit` was over before.
    func follow<Message: Decodable & Sendable>(
        _ method: EtcdMethod, _ message: some Encodable & Sendable, for limit: Duration,
        until enough: @escaping @Sendable (Message) -> Bool
    ) async throws(EtcdFailure) -> Message? {
        let isEnough: @Sendable (ByteBuffer) -> Bool = { line in
            guard let streamed: WireStreamed<Message> = try? Self.decode(line) else { return true }
            return streamed.result.map(enough) ?? true
        }
        do throws(EtcdFailure) {
            let body = try await send(method, try Self.encode(message), for: limit, until: isEnough)
            for line in body.lines where isEnough(line) {
                let streamed: WireStreamed<Message> = try Self.decode(line)
                if let message = streamed.result { return message }
                let failure: WireError = try Self.decode(line)
                throw .status(code: failure.code, message: "\(endpoint): \(failure.message)")
            }
            throw .unreachable("\(endpoint): the stream ended")
        } catch .timedOut {
            return nil
        }
    }

    // MARK: Endpoints

    private var current: Int { turn.load(ordering: .relaxed) % configuration.endpoints.count }

    private func send(
        _ method: EtcdMethod, _ body: ByteBuffer, for limit: Duration,
        until enough: @escaping @Sendable (ByteBuffer) -> Bool
    ) async throws(EtcdFailure) -> ByteBuffer {
        var last = EtcdFailure.cancelled
        for _ in configuration.endpoints {
            let turn = turn.load(ordering: .relaxed)
            let silence = Silence(since: .now, isWanted: method == .watch)
            do throws(EtcdFailure) {
                return try await authorized(turn % configuration.endpoints.count, method, body, limit, enough)
            } catch {
                // A stream that was quiet until its end is no fault.
                let isToBlame =
                    error == .cancelled
                    ? silence.blamesServer(at: .now)
                    : error.blamesEndpoint && !(method == .watch && error == .timedOut)
                guard isToBlame else { throw error }
                last = error
                logger.debug("etcd endpoint failed", metadata: ["endpoint": "\(endpoint)", "error": "\(error)"])
                // A request that failed at the same time has moved on already.
                _ = self.turn.compareExchange(expected: turn, desired: turn + 1, ordering: .relaxed)
                if error == .cancelled { throw error }
            }
        }
        throw last
    }

    private func authorized(
        _ index: Int, _ method: EtcdMethod, _ body: ByteBuffer, _ limit: Duration,
        _ enough: @escaping @Sendable (ByteBuffer) -> Bool
    ) async throws(EtcdFailure) -> ByteBuffer {
        do throws(EtcdFailure) {
            return try await exchange(index, method, body, limit, token: try await token(index), enough)
        } catch  where error.wantsLogin && configuration.user != nil {
            login.withLock { $0 = .none }
            return try await exchange(index, method, body, limit, token: try await token(index), enough)
        }
    }

    private func token(_ index: Int) async throws(EtcdFailure) -> String? {
        guard let user = configuration.user,
            let password = configuration.passwordFile?.current.reveal ?? configuration.password
        else { return nil }
        switch login.withLock({ $0 }) {
        case .token(let token): return token
        case .isOff: return nil
        case .none: break
        }
        let body = try Self.encode(WireLogin(name: user, password: password))
        do throws(EtcdFailure) {
            let answer = try await exchange(
                index, .authenticate, body, configuration.requestTimeout, token: nil
            ) { _ in false }
            let reply: WireLoginReply = try Self.decode(answer)
            guard let token = reply.token else { throw .unexpected("\(endpoint): no token came with the login") }
            login.withLock { $0 = .token(token) }
            return token
        } catch  where error.isAuthenticationOff {
            login.withLock { $0 = .isOff }
            return nil
        }
    }

    // MARK: One exchange

    /// Old versions have the gateway under another path: the one that answered is remembered for each
    /// endpoint.
    private func exchange(
        _ index: Int, _ method: EtcdMethod, _ body: ByteBuffer, _ limit: Duration, token: String?,
        _ enough: @escaping @Sendable (ByteBuffer) -> Bool
    ) async throws(EtcdFailure) -> ByteBuffer {
        let known = prefixes.withLock { $0[index] }
        for prefix in [known, known.other] {
            let answer = try await post(index, prefix.path(method), body, limit, token, enough)
            if answer.isMissingPath { continue }
            if prefix != known { prefixes.withLock { $0[index] = prefix } }
            guard answer.status == 200, (try? Self.decode(answer.body, as: WireError.self)) == nil else {
                throw answer.failure(at: configuration.endpoints[index].authority)
            }
            return answer.body
        }
        throw .unexpected(
            "\(configuration.endpoints[index].authority): neither /v3 nor /v3beta is there: no etcd, or one without its "
                + "JSON gateway (a configuration file needs enable-grpc-gateway: true)")
    }

    private func post(
        _ index: Int, _ path: String, _ body: ByteBuffer, _ limit: Duration, _ token: String?,
        _ enough: @escaping @Sendable (ByteBuffer) -> Bool
    ) async throws(EtcdFailure) -> EtcdAnswer {
        let authority = configuration.endpoints[index].authority
        let scheme = configuration.tls == nil ? "http" : "https"
        do {
            var headers = HTTPHeaders([("content-type", "application/json")])
            if let token { headers.add(name: "authorization", value: token) }
            // A member that lost its leader must say so, or the watch would be silent for ever.
            if path.hasSuffix("/watch") { headers.add(name: "grpc-metadata-hasleader", value: "true") }
            let request = try HTTPClient.Request(
                url: "\(scheme)://\(authority)\(path)", method: .POST, headers: headers, body: .byteBuffer(body))
            let collector = EtcdAnswerCollector(until: enough)
            let task = clients.current.execute(
                request: request, delegate: collector, eventLoop: .indifferent,
                deadline: .now() + TimeAmount(limit), logger: nil)
            return try await withTaskCancellationHandler {
                do { return try await task.futureResult.get() } catch {
                    // Cut off because it was enough.
                    if let answer = collector.enough { return answer }
                    throw error
                }
            } onCancel: {
                task.cancel()
            }
        } catch {
            throw EtcdFailure(error, at: authority)
        }
    }

    private static func encode(_ message: some Encodable) throws(EtcdFailure) -> ByteBuffer {
        do { return ByteBuffer(bytes: try JSONEncoder().encode(message)) } catch { throw .unexpected("\(error)") }
    }

    private static func decode<Reply: Decodable>(
        _ body: ByteBuffer, as reply: Reply.Type = Reply.self
    ) throws(EtcdFailure) -> Reply {
        do { return try JSONDecoder.etcd.decode(reply, from: Data(body.readableBytesView)) } catch {
            throw .unexpected("not understood: \(String(buffer: body).prefix(200))")
        }
    }
}
