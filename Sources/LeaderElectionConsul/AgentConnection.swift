import AsyncHTTPClient
import Endpoints
import HTTPClients
import LeaderElection
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Consul's HTTP API at the first agent that answers. Requests and connections share one event loop,
/// for the reasons that `EtcdGateway` gives.
final class AgentConnection: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: ByteBuffer
        /// The index to wait for a change from.
        let index: UInt64?
    }

    private let clients: RenewedHTTPClient
    private let configuration: ConsulConfiguration
    private let current = Atomic(0)

    init(_ configuration: ConsulConfiguration, on eventLoop: any EventLoop) {
        self.configuration = configuration
        clients = RenewedHTTPClient(configuration.tls, connectTimeout: configuration.connectTimeout, on: eventLoop)
    }

    deinit {
        clients.shutDownLater()
    }

    /// The agent that is asked now.
    var agent: ConsulConfiguration.Agent {
        agent(current.load(ordering: .relaxed))
    }

    private func agent(_ number: Int) -> ConsulConfiguration.Agent {
        configuration.agents[number % configuration.agents.count]
    }

    func shutDown() async {
        await clients.shutDown()
    }

    /// Asks, and returns the answer of any status but those that mean "no answer". `path` begins behind
    /// `/v1/`. `patience` is how long the agent may hold back its answer.
    func ask(
        _ method: HTTPMethod, _ path: String, body: ByteBuffer? = nil, patience: Duration = .zero
    ) async throws(RegisterError) -> Answer {
        let number = current.load(ordering: .relaxed)
        let silence = Silence(since: .now, isWanted: patience > .zero)
        do {
            return try await send(agent(number), method, path, body, patience)
        } catch {
            if configuration.agents.count > 1, Self.blamesAgent(error, silence) {
                _ = current.compareExchange(expected: number, desired: number &+ 1, ordering: .relaxed)
            }
            throw error
        }
    }

    /// Another agent may do better.
    private static func blamesAgent(_ error: RegisterError, _ silence: Silence) -> Bool {
        switch error.code {
        case .unreachable, .timedOut: true
        case .cancelled: silence.blamesServer(at: .now)
        default: false
        }
    }

    private func send(
        _ agent: ConsulConfiguration.Agent, _ method: HTTPMethod, _ path: String, _ body: ByteBuffer?,
        _ patience: Duration
    ) async throws(RegisterError) -> Answer {
        let host = agent.host.contains(":") ? "[\(agent.host)]" : agent.host
        let url = "\(configuration.tls == nil ? "http" : "https")://\(host):\(agent.port)/v1/\(path)"
        let response: HTTPClient.Response
        do {
            var headers = HTTPHeaders()
            let token = configuration.tokenFile.map { ConsulToken($0.current.reveal) } ?? configuration.token
            if let token { headers.add(name: "X-Consul-Token", value: token.reveal) }
            let request = try HTTPClient.Request(
                url: url, method: method, headers: headers, body: body.map { .byteBuffer($0) })
            let task = clients.current.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: 4 << 20),
                deadline: .now() + TimeAmount(configuration.requestTimeout + patience))
            response = try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
        } catch {
            throw RegisterError(asking: host, agent.port, error)
        }
        let text = response.body.map { String(buffer: $0).prefix { !$0.isNewline }.prefix(200) } ?? ""
        switch response.status.code {
        case 200..<300, 404, 409:
            return Answer(
                status: Int(response.status.code), body: response.body ?? ByteBuffer(),
                index: response.headers.first(name: "X-Consul-Index").flatMap { UInt64($0) })
        case 401, 403:
            throw .denied("Consul says \"\(text)\": give a token that may write the keys and sessions of the election")
        case 400 where text.contains("HTTPS server"):
            throw .denied("\(host):\(agent.port) speaks TLS: write consul+tls://")
        case 429, 500...:
            throw .unreachable("Consul says \(response.status.code) \"\(text)\"")
        default:
            throw .unexpected("Consul says \(response.status.code) \"\(text)\"")
        }
    }
}

extension RegisterError {
    fileprivate init(asking host: String, _ port: Int, _ error: any Error) {
        let agent = "\(host):\(port)"
        switch error as? HTTPClientError {
        case .cancelled?: self = .cancelled
        case .deadlineExceeded?, .readTimeout?: self = .timedOut
        default:
            let text = "\(error)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                self = .denied(
                    "the certificate of \(agent) is not trusted (expired, or of an unknown authority): check the CA file"
                )
            } else if text.contains("failedToValidateHostname") || text.contains("unableToValidateCertificate") {
                self = .denied("the certificate of \(agent) is for another name: connect by a name it lists")
            } else if text.contains("WRONG_VERSION_NUMBER") {
                self = .denied("\(agent) does not speak TLS: write consul:// or its TLS port")
            } else if text.contains("CERTIFICATE_REQUIRED") || text.contains("BAD_CERTIFICATE") {
                self = .denied("\(agent) wants a client certificate: give one with its key")
            } else if error is NIOSSLError || error is NIOSSLExtraError {
                self = .denied("the TLS handshake with \(agent) failed: \(text)")
            } else if error is HTTPClientError {
                self = .unreachable("\(agent): \(text)")
            } else {
                self = .unreachable("\(agent): \(ConnectionTrouble.cannotConnect(error, to: "Consul"))")
            }
        }
    }
}
