import RESP

/// A key's hash that is the same in each process and build: it decides the partition, and tells whether
/// a position is of this key.
///
/// FNV-1a with 64 bits over the database and the key, stirred as in MurmurHash3 so that all bits depend
/// on all bytes.
package struct KeyDigest: Sendable, Hashable {
    package let rawValue: UInt64

    package init(database: Int, key: [UInt8]) {
        // Unsafe in name only: a byte has no padding.
        self.init(database: database, key: unsafe key.span.bytes)
    }

    package init(database: Int, key: RawSpan) {
        var hash = 0xcbf2_9ce4_8422_2325 as UInt64
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        add(UInt8(truncatingIfNeeded: database >> 8))
        add(UInt8(truncatingIfNeeded: database))
        for index in 0..<key.byteCount { add(key.byte(at: index)) }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        rawValue = hash ^ hash >> 33
    }

    /// One key is always in the same partition, so its expirations keep their order.
    package func partition(of count: Int) -> Int {
        Int(rawValue.multipliedFullWidth(by: UInt64(count)).high)
    }

    /// Four bytes, never all zero.
    package var mark: UInt32 { max(UInt32(truncatingIfNeeded: rawValue), 1) }
}
