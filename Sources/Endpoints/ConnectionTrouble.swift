import NIOCore
import NIOPosix

/// Why a connection failed, in words of our own: those of a socket library tell an operator nothing.
package enum ConnectionTrouble {
    /// The text where nothing but the end of the connection is known.
    package static let hangUp = "the server closed the connection"

    /// What happened to a connection that was made.
    package static func text(_ error: any Error) -> String {
        switch error {
        case let error as IOError: reason(error)
        case is ChannelError: hangUp
        default: "the connection failed"
        }
    }

    /// Why none was made to a server of this kind.
    package static func cannotConnect(_ error: any Error, to server: String = "Redis") -> String {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else {
                let isUnresolved = error.dnsAError != nil || error.dnsAAAAError != nil
                return isUnresolved ? unresolved : "cannot connect"
            }
            return "cannot connect: \(attempt(first.error, server))"
        case is SocketAddressError: return unresolved
        default: return "cannot connect: \(attempt(error, server))"
        }
    }

    private static let unresolved =
        "the host name cannot be resolved: check it, or use another address of the node (--announced ip, --address-map)"

    private static func attempt(_ error: any Error, _ server: String) -> String {
        guard let error = error as? IOError else { return "no answer in time" }
        return error.errnoCode == 111 ? "connection refused (is \(server) running there?)" : reason(error)
    }

    /// Numbers of Linux' errno.
    private static func reason(_ error: IOError) -> String {
        switch error.errnoCode {
        case 104, 32: hangUp
        case 110: "no answer in time"
        case 111: "connection refused"
        case 113, 101: "no route to the host"
        case 99, 97: "this machine has no address of that kind"
        case 23, 24: "too many open files: raise the limit of this process (ulimit -n, LimitNOFILE)"
        default: "system error \(error.errnoCode)"
        }
    }
}
