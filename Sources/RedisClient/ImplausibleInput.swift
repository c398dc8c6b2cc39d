package import Logging
import Synchronization

/// Says which value read from a server cannot be true: once for each, at the edge where it was read.
/// The value counts as absent.
package final class ImplausibleInput: Sendable {
    private struct Value: Hashable {
        var name: String
        var text: String
    }

    private let logger: Logger
    private let told = Mutex<Set<Value>>([])
    /// How many are remembered; a flood of new ones is told no further.
    private static let limit = 256

    package init(_ logger: Logger) { self.logger = logger }

    /// - Parameters:
    ///   - name: where the value stands, such as a field of the progress hash.
    ///   - source: the key or the node.
    ///   - fix: what an operator can do about it.
    package func tell(_ name: some StringProtocol, is text: some StringProtocol, at source: String, fix: String) {
        let value = Value(name: String(name.prefix(80)), text: String(text.prefix(120)))
        let isNew = told.withLock { told in told.count < Self.limit && told.insert(value).inserted }
        guard isNew else { return }
        logger.error(
            "a value cannot be true and counts as absent",
            metadata: [
                "field": "\(value.name.debugDescription)", "value": "\(value.text.debugDescription)",
                "at": "\(source)", "fix": "\(fix)",
            ])
    }
}
