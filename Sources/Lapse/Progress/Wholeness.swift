import RESP

/// Whether the logs of the leader with this token are whole: no peer has anything that they lack. A
/// replica that leaves waits for it.
package struct Wholeness: Sendable, Equatable {
    package var token: UInt64
    package var isWhole: Bool

    /// Its name in the progress hash.
    package static let field = "whole"

    package init(token: UInt64, isWhole: Bool) {
        self.token = token
        self.isWhole = isWhole
    }

    /// `v1 token 1` or `v1 token 0`.
    package var text: String { "v1 \(token) \(isWhole ? 1 : 0)" }

    /// Nil for text that no leader of this format wrote.
    package init?(text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 3, parts[0] == "v1", let token = PlausibleCount.read(parts[1]),
            ["0", "1"].contains(parts[2])
        else { return nil }
        self.init(token: token, isWhole: parts[2] == "1")
    }
}
