/// What `notify-keyspace-events` must hold for expirations to be announced: `E` and one of `x`, `A`;
/// for hints also one of `g`, `A`.
package enum Notifications {
    /// What to do about a node that does not announce expirations.
    package enum Policy: String, Sendable, CaseIterable { case verify, set, off }

    package static func suffice(_ flags: String) -> Bool {
        flags.contains("E") && (flags.contains("x") || flags.contains("A"))
    }

    /// - Parameter withHints: also that a TTL was set (class `g`), which `--punctual track` needs.
    package static func suffice(_ flags: String, withHints: Bool) -> Bool {
        suffice(flags) && (!withHints || flags.contains("g") || flags.contains("A"))
    }

    /// The flags with what is missing added; what others need stays.
    package static func merged(_ flags: String, withHints: Bool = false) -> String {
        var merged = flags
        if !merged.contains("E") { merged += "E" }
        if !merged.contains("A") {
            if !merged.contains("x") { merged += "x" }
            if withHints, !merged.contains("g") { merged += "g" }
        }
        return merged
    }

    /// What an operator types on the node.
    package static func command(_ flags: String, withHints: Bool = false) -> String {
        "CONFIG SET notify-keyspace-events \(merged(flags, withHints: withHints))"
    }
}
