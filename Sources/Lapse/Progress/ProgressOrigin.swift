/// Whose tokens the progress was written under: the store's name and an epoch.
///
/// Tokens grow only within one store; after a move or a wipe they begin anew, and progress would seem
/// older than what it replaces. The epoch grows by one each time, and counts before the token.
package struct ProgressOrigin: Sendable, Equatable {
    /// The field's name in the progress hash.
    package static let field = "store"

    package var epoch: UInt64
    package var store: String

    package init(epoch: UInt64, store: String) {
        self.epoch = epoch
        self.store = store
    }

    /// `v1 epoch store`.
    package var text: String { "v1 \(epoch) \(store)" }

    /// Nil for another format, or one that makes no sense.
    package init?(text: String) {
        let parts = text.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, parts[0] == "v1", let epoch = UInt64(parts[1]), epoch < 1 << 32 else { return nil }
        self.init(epoch: epoch, store: String(parts[2]))
    }

    /// Why a term's token says nothing about the tokens that the progress was written under.
    package enum Contradiction: Sendable, Equatable {
        /// The progress is another store's.
        case moved(from: String?)
        /// The same store has given larger tokens before: it has forgotten them.
        case forgotten(token: UInt64)
    }
}
