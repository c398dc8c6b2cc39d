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

    /// The bytes as text, with a replacement character where they are not UTF-8. Allocates: not for the hot path.
    package var text: String { String(decoding: [UInt8](copying: self), as: UTF8.self) }
}

extension [UInt8] {
    /// The bytes of a span, to be kept.
    package init(copying span: RawSpan) {
        // Unsafe: the bytes are copied inside the closure.
        self = unsafe span.withUnsafeBytes { unsafe Self($0) }
    }
}
