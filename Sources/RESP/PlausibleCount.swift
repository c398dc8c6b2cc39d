package import NIOCore

/// Reads the counts, ordinals, tokens, terms and times that come over a socket, and refuses them from
/// 2^53 on, so that no arithmetic behind a parser can trap. None can truly be so large: a million
/// expirations a second would take 285 years. Lua counts exactly up to there, and sums and differences
/// of a thousand such numbers fit into 64 bits.
package enum PlausibleCount {
    /// Every count is smaller.
    package static let limit: UInt64 = 1 << 53

    /// A count written in decimal digits; nil for anything else, and for one that cannot be true.
    package static func read(_ text: some StringProtocol) -> UInt64? {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(text).flatMap { checked($0) }
    }

    /// The same of bytes.
    package static func read(_ text: ByteBuffer) -> UInt64? {
        guard (1...16).contains(text.readableBytes) else { return nil }
        return number(text.readableBytesView).flatMap { checked($0) }
    }

    /// A number of 64 bits in decimal digits; nil for anything else.
    package static func number(_ digits: ByteBufferView) -> UInt64? {
        guard !digits.isEmpty else { return nil }
        var number: UInt64 = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            guard !isTooLarge, !overflows else { return nil }
            number = sum
        }
        return number
    }

    /// A count in a reply: an integer, or text.
    package static func read(_ value: RESPValue) -> UInt64? {
        if case .integer(let number) = value { return UInt64(exactly: number).flatMap { checked($0) } }
        return value.string.flatMap { read($0) }
    }

    /// The count itself if it can be true.
    package static func checked(_ number: UInt64) -> UInt64? { number < limit ? number : nil }
}
