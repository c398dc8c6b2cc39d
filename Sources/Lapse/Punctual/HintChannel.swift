import RESP

/// The channels on which Redis announces that a key may have another TTL (class `g`).
package enum HintChannel {
    private static let events = ["expire", "restore", "copy_to", "rename_to", "move_to"]

    /// Of every database, as ACL patterns.
    package static let all = events.map { "__keyevent@*__:\($0)" }

    /// Of one database. The events carry the key and no deadline.
    package static func names(_ database: Int) -> [String] { events.map { "__keyevent@\(database)__:\($0)" } }
}
