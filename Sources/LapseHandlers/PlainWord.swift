import RESP

extension RawSpan {
    /// Whether it is one word of ASCII in which nothing is to be escaped or quoted, in JSON and in a text
    /// of facts: so are nearly all keys, and such a one is copied as it is.
    package var isPlainWord: Bool {
        guard byteCount > 0 else { return false }
        for index in 0..<byteCount {
            let byte = byte(at: index)
            guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "="),
                byte != UInt8(ascii: "\\")
            else { return false }
        }
        return true
    }
}
