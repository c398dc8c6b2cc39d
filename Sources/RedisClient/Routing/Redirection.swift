package import RESP

/// What an error reply of a cluster node means for the command that met it.
///
/// Source: Redis cluster specification, "MOVED Redirection", "ASK redirection", "Multiple keys
/// operations".
package enum Redirection: Equatable, Sendable {
    /// The slot has moved for good: go there, and look at the topology again.
    case moved(to: NodeAddress?)
    /// This once, ask there (after ASKING).
    case ask(NodeAddress?)
    /// Passing trouble: wait a little, look at the topology, try again.
    case retry
    /// The script is not known there: send it in full.
    case sendScript
    /// An error of the command itself.
    case none

    package init(_ error: RESPError) {
        switch error.code {
        case "MOVED": self = .moved(to: Self.target(error))
        case "ASK": self = .ask(Self.target(error))
        case "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN", "BUSY", "NOREPLICAS": self = .retry
        case "NOSCRIPT": self = .sendScript
        default: self = .none
        }
    }

    /// `MOVED 3999 10.0.0.1:6381`; an empty host means "the node you asked".
    private static func target(_ error: RESPError) -> NodeAddress? {
        error.text.split(separator: " ").dropFirst(2).first.flatMap { NodeAddress($0) }
    }
}
