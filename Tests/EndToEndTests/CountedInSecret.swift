import Synchronization
import ThrowawayRedis

/// Adds to the `expired_keys` that a server tells through a relay: as one does that counts what it does
/// not announce (Redis 8.6, a SET whose deadline has passed).
///
/// The digits are replaced in place, so their number must not grow. The reply must come in one piece,
/// as INFO stats does.
final class CountedInSecret: Sendable {
    private let added = Mutex(0)

    init(behind relay: Relay) {
        relay.onAnswers { [self] _, bytes in rewrite(&bytes) }
    }

    /// So many more than the server has counted.
    func add(_ count: Int) { added.withLock { $0 += count } }

    private func rewrite(_ bytes: inout [UInt8]) {
        let more = added.withLock { $0 }
        guard more > 0, let name = bytes.firstRange(of: "\nexpired_keys:".utf8) else { return }
        let digits = bytes[name.upperBound...].prefix { (48...57).contains($0) }
        guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return }
        let text = Array(String(number + more).utf8)
        guard text.count == digits.count else { return }
        bytes.replaceSubrange(digits.indices, with: text)
    }
}
