import RESP

/// What `lapse trace` asks the replicas: all they know of one key.
///
/// The message on the control channel is a nonce alone. What is asked lies beside the lock for a few
/// seconds, in a key of the ``RepairMailbox`` that only a right to write puts there: a forged message
/// costs each replica one GET.
package struct TraceQuestion: Sendable, Equatable {
    package var key: [UInt8]
    /// Longer keys are not asked about.
    package static let keyLimit = 32 << 10
    private static let version = Array("v1 ".utf8)

    /// Nil for a key that is too long.
    package init?(key: [UInt8]) {
        guard key.count <= Self.keyLimit else { return nil }
        self.key = key
    }

    var bytes: [UInt8] { Self.version + key }

    /// Nil for what no build of this format wrote.
    init?(bytes: [UInt8]) {
        guard bytes.starts(with: Self.version) else { return nil }
        self.init(key: Array(bytes.dropFirst(Self.version.count)))
    }

    /// An account of letters and digits, which becomes a part of a key's name, and `.1`: each account has
    /// one question, and no other end would make it a new one.
    static func isNonce(_ text: Substring) -> Bool {
        guard text.utf8.count <= 64, text.hasSuffix(".1") else { return false }
        let account = text.dropLast(2)
        return !account.isEmpty && account.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
}
