package import Lapse
import RESP
package import Timing

/// One JSON object on one line, written field by field: an encoder would cost more than everything else
/// about an expiration.
package struct JSONLine {
    /// Of the lines for expirations. It changes when a field goes or changes its meaning, not when one is
    /// added.
    package static let formatVersion = 1

    private var bytes: [UInt8]
    private var isFirst = true

    package init(capacity: Int = 320) {
        bytes = []
        bytes.reserveCapacity(capacity)
        bytes.append(UInt8(ascii: "{"))
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Writes one more line behind others, in place.
    ///
    /// - Parameter lines: taken while the line is written, so that they need not be copied.
    static func append(to lines: inout [UInt8], _ add: (inout JSONLine) -> Void) {
        var line = JSONLine(bytes: [])
        swap(&line.bytes, &lines)
        line.bytes.append(UInt8(ascii: "{"))
        add(&line)
        line.bytes.append(UInt8(ascii: "}"))
        line.bytes.append(UInt8(ascii: "\n"))
        swap(&line.bytes, &lines)
    }

    /// Writes more fields behind others, in place.
    static func append(moreTo fields: inout [UInt8], _ add: (inout JSONLine) -> Void) {
        var line = JSONLine(bytes: [])
        line.isFirst = false
        swap(&line.bytes, &fields)
        add(&line)
        swap(&line.bytes, &fields)
    }

    /// Fields that many lines have.
    static func fields(_ add: (inout JSONLine) -> Void) -> [UInt8] {
        var line = JSONLine(bytes: [])
        add(&line)
        return line.bytes
    }

    /// The line, with its newline.
    package consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    package mutating func add(_ name: String, _ text: String) {
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
        write(number)
    }

    package mutating func add(_ name: String, _ number: some BinaryInteger) {
        begin(name)
        write(number)
    }

    package mutating func add(_ name: String, _ time: UTCTime) {
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        time.write(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Nothing where it is not known.
    package mutating func add(_ deadline: KnownDeadline?) {
        guard let deadline else { return }
        add("deadline", UTCTime(milliseconds: Int64(clamping: deadline.milliseconds)))
        add("lagMs", deadline.lagMilliseconds)
    }

    /// Bytes as `name` when they are UTF-8, else as `otherwise` in base64.
    package mutating func add(_ name: String, otherwise base64: String, _ content: [UInt8]) {
        // Unsafe in name only: a byte has no padding.
        unsafe add(name, otherwise: base64, content.span.bytes)
    }

    /// The same for bytes that are not to be copied.
    mutating func add(_ name: String, otherwise base64: String, _ content: RawSpan) {
        if content.isPlainWord {
            begin(name)
            bytes.append(UInt8(ascii: "\""))
            bytes.append(copying: content)
            bytes.append(UInt8(ascii: "\""))
            return
        }
        let copy = [UInt8](copying: content)
        guard String(validating: copy, as: UTF8.self) != nil else {
            begin(base64)
            bytes.append(UInt8(ascii: "\""))
            Base64.write(copy, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
            return
        }
        begin(name)
        quote(copy)
    }

    private mutating func write(_ number: some BinaryInteger) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let first = bytes.count
        var rest = UInt64(number.magnitude)
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[first...].reverse()
    }

    private mutating func begin(_ name: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        // Names are ours and hold nothing to escape.
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func separate() {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
    }

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
