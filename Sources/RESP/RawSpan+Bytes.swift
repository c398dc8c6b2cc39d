extension RawSpan {
    /// The byte at an index below `byteCount`.
    @inlinable
    package func byte(at index: Int) -> UInt8 {
        precondition(index >= 0 && index < byteCount, "a byte beyond the span")
        // Unsafe: the index is checked above, and any byte is a UInt8.
        return unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    /// Whether the bytes begin with these.
    package func starts(with prefix: [UInt8]) -> Bool {
        guard byteCount >= prefix.count else { return false }
        for index in prefix.indices where byte(at: index) != prefix[index] { return false }
        return true
    }

    /// Whether the bytes are exactly these.
    package func equals(_ bytes: [UInt8]) -> Bool { byteCount == bytes.count && starts(with: bytes) }
}

extension RawSpan {
    /// Whether the bytes end with these.
    package func ends(with suffix: [UInt8]) -> Bool {
        guard byteCount >= suffix.count else { return false }
        let start = byteCount - suffix.count
        for index in suffix.indices where byte(at: start + index) != suffix[index] { return false }
        return true
    }

    /// The bytes as text, with a replacement character where they are not UTF-8. Allocates: not for the hot
    /// path.
    package var text: String { String(decoding: [UInt8](copying: self), as: UTF8.self) }
}

extension [UInt8] {
    /// The bytes of a span, to be kept.
    package init(copying span: RawSpan) {
        // Unsafe: the bytes are copied inside the closure.
        self = unsafe span.withUnsafeBytes { unsafe Self($0) }
    }

    /// Adds the bytes of a span.
    package mutating func append(copying span: RawSpan) {
        // Unsafe: the bytes are copied inside the closure.
        unsafe span.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }
}

extension RawSpan {
    /// Eight bytes from an index below `byteCount` on, the first of them lowest; those behind the end count
    /// as zero.
    @inlinable
    package func word(at index: Int) -> UInt64 {
        precondition(index >= 0 && index < byteCount, "a word beyond the span")
        let left = byteCount - index
        // Unsafe: eight bytes are left, or stand before the end.
        if left >= 8 { return unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)) }
        if byteCount >= 8 {
            let last = unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: byteCount - 8, as: UInt64.self))
            return last >> UInt64(64 - left * 8)
        }
        var word: UInt64 = 0
        for offset in 0..<left { word |= UInt64(byte(at: index + offset)) << UInt64(offset * 8) }
        return word
    }
}
