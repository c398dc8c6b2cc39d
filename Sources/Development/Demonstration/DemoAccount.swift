/// What became of the keys of a demonstration.
package struct DemoAccount: Sendable {
    var armed: Int
    /// Keys whose expiration Redis announced, by an independent witness's count.
    var announced: Int
    var handled: Int
    /// Announced and not handled.
    package var lost: [String]
    /// Handled more than once: what was under way when the leader was killed.
    var twice: Int
    var takenOver: Int
    /// From the kill to the first expiration that another replica handled.
    var pause: Duration?

    var lines: [String] {
        let rows: [(String, String)] = [
            ("\(armed)", "keys were set with a time to live"),
            ("\(announced)", "expirations Redis announced, by an independent witness"),
            ("\(handled)", "keys handled, \(takenOver) of them expired before the new leader led"),
            ("\(lost.count)", "lost" + (lost.isEmpty ? "" : ": \(lost.prefix(5).joined(separator: ", "))")),
            ("\(twice)", "handled twice: under way when the leader was killed"),
            (pause.map(Self.seconds) ?? "-", "seconds without a handler"),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        return ["", "the account"]
            + rows.map { "  " + String(repeating: " ", count: width - $0.0.count) + $0.0 + "  " + $0.1 }
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = duration.components.seconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
