import RESP

/// Stands for a key of a database: the expirations with one hash are handled one after the other.
///
/// Two keys may share one, once in 2⁶⁴: then they wait for each other without need, which is no harm.
package struct KeyHash: Hashable, Sendable {
    let number: UInt64

    /// Drawn for each process, so that a client cannot prepare keys that share one.
    static let seed = UInt64.random(in: .min ... .max)

    /// - Parameter seed: ``seed``, for a caller that makes many: to ask for it costs as much as the rest.
    init(_ key: RawSpan, database: UInt16, seed: UInt64 = KeyHash.seed) {
        var number = Self.mix(seed ^ UInt64(key.byteCount), UInt64(database))
        var index = 0
        while index < key.byteCount {
            number = Self.mix(number, key.word(at: index))
            index += 8
        }
        // Zero is the empty place of a table.
        self.number = max(1, number)
    }

    /// Multiplies with a constant of mixed bits and folds the product.
    private static func mix(_ number: UInt64, _ word: UInt64) -> UInt64 {
        let product = (number ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low &+ 0xD6E8_FEB8_6659_FD93
    }
}
