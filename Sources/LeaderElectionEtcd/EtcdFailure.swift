import AsyncHTTPClient
import Endpoints
import LeaderElection
import NIOCore
import NIOSSL

/// Why etcd gave no good answer.
enum EtcdFailure: Error, Sendable, Hashable {
    /// etcd's own word: a status code of gRPC and its text.
    case status(code: Int, message: String)
    case unreachable(String)
    case timedOut
    case encryption(String)
    /// Nothing that another attempt could change.
    case refused(String)
    case unexpected(String)
    case cancelled

    init(_ error: any Error, at endpoint: String) {
        switch error {
        case let failure as EtcdFailure: self = failure
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError where error == .cancelled: self = .cancelled
        case let error as HTTPClientError where Self.timeouts.contains(error): self = .timedOut
        case ChannelError.connectTimeout: self = .timedOut
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            self = .encryption("\(endpoint): TLS: \(error)")
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            self = .unreachable("\(endpoint): \(ConnectionTrouble.text(ChannelError.eof))")
        case is HTTPClientError: self = .unreachable("\(endpoint): \(error)")
        default: self = .unreachable("\(endpoint): \(ConnectionTrouble.cannotConnect(error, to: "etcd"))")
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout, .tlsHandshakeTimeout,
    ]

    /// Another member may do better.
    var blamesEndpoint: Bool {
        switch self {
        // Unknown, deadline, internal, unavailable ("no leader", "leader changed", "request timed out").
        case .status(let code, _): [2, 4, 13, 14].contains(code)
        case .unreachable, .timedOut, .encryption, .unexpected: true
        case .refused, .cancelled: false
        }
    }

    var isLeaseNotFound: Bool {
        if case .status(5, _) = self { true } else { false }
    }

    var isLeaseAlreadyThere: Bool {
        if case .status(9, let message) = self { message.contains("lease already exists") } else { false }
    }

    /// A fresh token may help: it expired, the users changed, or authentication was switched on.
    var wantsLogin: Bool {
        switch self {
        case .status(16, _): true
        case .status(3, let message):
            message.contains("revision of auth store is old") || message.contains("user name is empty")
        default: false
        }
    }

    var isAuthenticationOff: Bool {
        if case .status(9, let message) = self { message.contains("authentication is not enabled") } else { false }
    }
}

extension RegisterError {
    init(_ failure: EtcdFailure) {
        switch failure {
        case .timedOut: self = .timedOut
        case .cancelled: self = .cancelled
        case .unreachable(let text): self = .unreachable(text)
        case .unexpected(let text): self = .unexpected(text)
        case .encryption(let text), .refused(let text): self = .denied(text)
        case .status(let code, let message):
            switch code {
            case 4, 14: self = .unreachable(message)
            case 7:
                self = .denied(
                    "\(message): the user needs a role with readwrite on the prefix (etcdctl role grant-permission "
                        + "ROLE --prefix=true readwrite PREFIX)")
            case 16: self = .denied(message)
            case 3 where message.contains("user name is empty"):
                self = .denied("\(message): this etcd wants a user, as in etcd://user@host, and its password")
            case 3 where message.contains("invalid user ID or password"): self = .denied(message)
            default: self = .unexpected(message)
            }
        }
    }
}
