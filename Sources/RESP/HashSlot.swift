/// Which of the 16384 slots of a cluster a key lives in.
package enum HashSlot {
    package static let count: UInt16 = 16384

    package static func of(_ key: RawSpan) -> UInt16 {
        let hashed = hashedPart(of: key)
        let table = table
        var crc: UInt16 = 0
        for offset in hashed {
            // Unsafe: the offset is inside the key, see `hashedPart`.
            let byte = unsafe key.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            crc = (crc << 8) ^ table[Int(UInt8(crc >> 8) ^ byte)]
        }
        return crc & (count - 1)
    }

    package static func of(_ key: String) -> UInt16 {
        // Unsafe in name only: a byte has no padding.
        of(unsafe key.utf8.span.bytes)
    }

    package static func of(_ key: [UInt8]) -> UInt16 {
        // Unsafe in name only: a byte has no padding.
        of(unsafe key.span.bytes)
    }

    /// What stands between the first `{` and the first `}` behind it, unless that is nothing: so keys
    /// that share a tag share a slot.
    private static func hashedPart(of key: RawSpan) -> Range<Int> {
        let whole = 0..<key.byteCount
        guard let open = firstIndex(of: UInt8(ascii: "{"), in: key, from: 0),
            let close = firstIndex(of: UInt8(ascii: "}"), in: key, from: open + 1), close > open + 1
        else { return whole }
        return open + 1..<close
    }

    private static func firstIndex(of byte: UInt8, in key: RawSpan, from start: Int) -> Int? {
        var index = start
        while index < key.byteCount {
            // Unsafe: `index` is below the count.
            if unsafe key.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self) == byte { return index }
            index += 1
        }
        return nil
    }

    /// CRC16 of the XMODEM kind: polynomial 0x1021, from zero, not reflected.
    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { crc, _ in
            crc & 0x8000 == 0 ? crc << 1 : (crc << 1) ^ 0x1021
        }
    }
}
