import RESP

/// The channels on which Redis announces expirations.
package enum EventChannel {
    private static let prefix = Array("__keyevent@".utf8)
    private static let suffix = Array("__:expired".utf8)
    package static let ownKeyPrefix = Array("{lapse-".utf8)

    /// The exact channel of a database: its frames are shorter than a pattern's.
    package static func name(_ database: Int) -> String { "__keyevent@\(database)__:expired" }

    /// The database of an event channel; nil for any other channel.
    package static func database(of channel: RawSpan) -> UInt16? {
        guard channel.starts(with: prefix) else { return nil }
        let digits = channel.byteCount - prefix.count - suffix.count
        guard (1...5).contains(digits), channel.ends(with: suffix) else { return nil }
        var database: UInt32 = 0
        for index in prefix.count..<prefix.count + digits {
            let byte = channel.byte(at: index)
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            database = database * 10 + UInt32(byte - UInt8(ascii: "0"))
        }
        return UInt16(exactly: database)
    }
}
