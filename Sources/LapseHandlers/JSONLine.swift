package import Timing

/// One JSON object on one line, written field by field: an encoder would cost more than everything else about an
/// expiration.
package struct JSONLine {
    /// Of the lines for expirations. It changes when a field goes or changes its meaning, not when one is added.
    package static let formatVersion = 1

    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    package init(capacity: Int = 320) { bytes.reserveCapacity(capacity) }

    /// The line, with its newline.
    package consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    package mutating func add(_ name: StaticString, _ text: String) {
        begin(name)
        quote(text.utf8)
    }

    /// A field whose name is not known beforehand.
    package mutating func add(named name: String, _ text: String) {
        separate()
        quote(name.utf8)
        bytes.append(UInt8(ascii: ":"))
        quote(text.utf8)
    }

    package mutating func add(named name: String, _ number: some BinaryInteger) {
        separate()
        quote(name.utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: String(number).utf8)
    }

    package mutating func add(_ name: StaticString, _ number: some BinaryInteger) {
        begin(name)
        bytes.append(contentsOf: String(number).utf8)
    }

    package mutating func add(_ name: StaticString, _ time: UTCTime) {
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        time.write(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Bytes as `name` when they are UTF-8, else as `otherwise` in base64.
    package mutating func add(_ name: StaticString, otherwise base64: StaticString, _ content: [UInt8]) {
        guard String(validating: content, as: UTF8.self) != nil else {
            begin(base64)
            bytes.append(UInt8(ascii: "\""))
            Base64.write(content, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
            return
        }
        begin(name)
        quote(content)
    }

    private mutating func begin(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        // Names are ours and hold nothing to escape.
        bytes.append(contentsOf: "\(name)".utf8)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func separate() { if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) } }

    /// Source: RFC 8259, section 7: quotation mark, backslash and U+0000 to U+001F are escaped.
    private mutating func quote(_ text: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): escape(byte)
            case 0x0A: escape(UInt8(ascii: "n"))
            case 0x0D: escape(UInt8(ascii: "r"))
            case 0x09: escape(UInt8(ascii: "t"))
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(Self.hexadecimal[Int(byte >> 4)])
                bytes.append(Self.hexadecimal[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
}

/// Source: RFC 4648, section 4.
private enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func write(_ content: [UInt8], to bytes: inout [UInt8]) {
        for start in stride(from: 0, to: content.count, by: 3) {
            let group = content[start..<min(start + 3, content.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                bytes.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)])
            }
        }
    }
}
