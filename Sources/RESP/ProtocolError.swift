/// The peer does not speak RESP2, or passes a limit. The connection has to be closed: what follows on
/// it cannot be understood any more.
package struct ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package var description: String { "not a valid Redis reply: \(reason)\(hint)" }

    /// The two peers that a mistyped address or port most often leads to.
    private var hint: String {
        if reason.hasPrefix(#"got "\x15""#) { return " (the server answers in TLS)" }
        if reason.hasPrefix(#"got "H""#) { return " (is this an HTTP server?)" }
        return ""
    }
}
