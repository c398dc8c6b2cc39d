#if MySQL
/// A name of a table that can stand in a statement.
struct Identifier: Sendable, Equatable, CustomStringConvertible {
    /// Without the quotes.
    let bare: String
    var description: String { "`\(bare)`" }

    init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"):
                true
            default: false
            }
        }
        guard isPlain, (1...64).contains(text.utf8.count) else { return nil }
        bare = text
    }
}

extension String {
    /// The string's bytes as a hexadecimal literal: whatever it holds, and whatever the server's `sql_mode`
    /// and character sets are, nothing in it is read as SQL.
    var sqlLiteral: String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("X'".utf8)
        for byte in utf8 {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        text.append(UInt8(ascii: "'"))
        return String(decoding: text, as: UTF8.self)
    }
}

extension Duration {
    /// For SQL's INTERVAL; a part of one counts as a whole.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + (attoseconds + 999_999_999_999) / 1_000_000_000_000
    }
}
#endif
