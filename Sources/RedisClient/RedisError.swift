import Endpoints
package import RESP

/// What went wrong with a Redis node, and what to do about it.
package struct RedisError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// No connection could be made.
        case unreachable
        /// The connection went away before the reply.
        case closed
        /// No reply in time; the command may have been applied all the same.
        case timeout
        /// Authentication or permission refused: trying again cannot help.
        case denied
        /// The TLS handshake failed.
        case tls
        /// The peer does not speak the protocol.
        case protocolViolation
        /// The server answered with an error.
        case reply(RESPError)
        /// No node is known that could answer.
        case noNode
        /// Another server answers at this address than the one meant: nothing of it counts.
        case otherServer
    }

    package var kind: Kind
    package var node: NodeAddress?
    package var text: String

    package init(_ kind: Kind, node: NodeAddress?, _ text: String) {
        self.kind = kind
        self.node = node
        self.text = text
    }

    /// A server's error reply, with permission errors told apart.
    package init(_ reply: RESPError, node: NodeAddress?) {
        switch reply.code {
        case "NOPERM":
            self.init(.denied, node: node, "\(reply.text) ('lapse doctor --acl' prints the rights needed)")
        case "DENIED":
            self.init(
                .denied, node: node,
                "\(reply.text.prefix { $0 != "." && !$0.isNewline }): it takes no connections from other machines until it has "
                    + "a password (requirepass), or protected-mode is no")
        case "WRONGPASS", "NOAUTH":
            self.init(
                .denied, node: node,
                "\(reply.text) (check user and password in --redis, or --redis-password-file)")
        default:
            self.init(.reply(reply), node: node, reply.text)
        }
    }

    /// Whether another look could tell more.
    var saysNoReason: Bool { kind == .closed && text == ConnectionTrouble.hangUp }

    package var description: String { node.map { "\($0): \(text)" } ?? text }

    /// True when waiting and retrying is pointless until an operator changes the configuration.
    package var isPermanent: Bool { kind == .denied || kind == .tls }
}
