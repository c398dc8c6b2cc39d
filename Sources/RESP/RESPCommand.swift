package import NIOCore

/// A command and its arguments, any bytes at all, kept as they go over the wire.
package struct RESPCommand: Sendable, Equatable {
    /// The words, each as `$<length>\r\n<bytes>\r\n`.
    private var words = ByteBuffer()
    /// The number of words, the name included.
    package private(set) var count = 0

    package init(_ words: String...) {
        self.init(words)
    }

    package init(_ words: [String]) {
        for word in words { append(word) }
    }

    package init(_ words: RESPWords) {
        self.words = ByteBuffer(bytes: words.bytes)
        count = words.count
    }

    package mutating func append(_ word: String) {
        begin(word.utf8.count)
        words.writeString(word)
        end()
    }

    package mutating func append(_ number: Int64) {
        append(String(number))
    }

    package mutating func append(_ bytes: ByteBuffer) {
        begin(bytes.readableBytes)
        words.writeImmutableBuffer(bytes)
        end()
    }

    package mutating func append(_ bytes: [UInt8]) {
        begin(bytes.count)
        words.writeBytes(bytes)
        end()
    }

    /// Appends all words of another one.
    package mutating func append(contentsOf other: RESPCommand) {
        words.writeImmutableBuffer(other.words)
        count += other.count
    }

    /// What the words take on the wire.
    package var byteCount: Int { words.readableBytes }

    var encodedWords: ByteBufferView { words.readableBytesView }

    /// Writes the command as an array of bulk strings.
    package func encode(into buffer: inout ByteBuffer) {
        buffer.writeString("*\(count)\r\n")
        buffer.writeImmutableBuffer(words)
    }

    /// The bytes of a word, the name being the first; nil past the end.
    package subscript(index: Int) -> ByteBuffer? {
        guard (0..<count).contains(index) else { return nil }
        var rest = words
        for _ in 0..<index { _ = Self.next(in: &rest) }
        return Self.next(in: &rest)
    }

    /// The first word, as in `SET`.
    package var name: String { self[0].map { String(buffer: $0) } ?? "" }

    private mutating func begin(_ length: Int) {
        words.writeString("$\(length)\r\n")
        count += 1
    }

    private mutating func end() {
        words.writeStaticString("\r\n")
    }

    private static func next(in rest: inout ByteBuffer) -> ByteBuffer? {
        rest.moveReaderIndex(forwardBy: 1)
        var length = 0
        while let digit: UInt8 = rest.readInteger(), digit != UInt8(ascii: "\r") {
            length = length * 10 + Int(digit - UInt8(ascii: "0"))
        }
        rest.moveReaderIndex(forwardBy: 1)
        let word = rest.readSlice(length: length)
        rest.moveReaderIndex(forwardBy: 2)
        return word
    }
}

extension RESPCommand: ExpressibleByArrayLiteral {
    package init(arrayLiteral words: String...) {
        self.init(words)
    }
}

/// Arguments can be secrets (AUTH, HELLO, CONFIG SET, ACL), so no way of printing a command shows any.
extension RESPCommand: CustomStringConvertible, CustomReflectable {
    package var description: String {
        switch count {
        case 0: "an empty command"
        case 1: name
        case 2: "\(name) with 1 argument"
        default: "\(name) with \(count - 1) arguments"
        }
    }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
