/// Words of a command in the making, as they go over the wire, where there are many and they are short:
/// an array takes a byte for a fraction of what a `ByteBuffer` does.
package struct RESPWords: Sendable, Equatable {
    package private(set) var bytes: [UInt8] = []
    package private(set) var count = 0

    package init() {}

    package mutating func append(_ word: [UInt8]) {
        begin(word.count)
        bytes.append(contentsOf: word)
        end()
    }

    package mutating func append(_ word: RawSpan) {
        begin(word.byteCount)
        bytes.append(copying: word)
        end()
    }

    package mutating func append(_ word: String) {
        begin(word.utf8.count)
        bytes.append(contentsOf: word.utf8)
        end()
    }

    package mutating func append(_ number: UInt64) {
        begin(Self.digits(number))
        write(number)
        end()
    }

    /// A number behind a prefix, as one word.
    package mutating func append(_ prefix: [UInt8], _ number: UInt64) {
        begin(prefix.count + Self.digits(number))
        bytes.append(contentsOf: prefix)
        write(number)
        end()
    }

    /// Two numbers with a byte between them, as one word.
    package mutating func append(_ first: UInt64, _ separator: UInt8, _ second: UInt64) {
        begin(Self.digits(first) + 1 + Self.digits(second))
        write(first)
        bytes.append(separator)
        write(second)
        end()
    }

    package mutating func append(contentsOf other: RESPWords) {
        bytes.append(contentsOf: other.bytes)
        count += other.count
    }

    package mutating func append(contentsOf command: RESPCommand) {
        bytes.append(contentsOf: command.encodedWords)
        count += command.count
    }

    package mutating func reserveCapacity(_ capacity: Int) { bytes.reserveCapacity(capacity) }

    private mutating func begin(_ length: Int) {
        bytes.append(UInt8(ascii: "$"))
        write(UInt64(length))
        end()
        count += 1
    }

    private mutating func end() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func digits(_ number: UInt64) -> Int {
        var (rest, digits) = (number / 10, 1)
        while rest > 0 { (rest, digits) = (rest / 10, digits + 1) }
        return digits
    }

    private mutating func write(_ number: UInt64) {
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        var (low, high) = (start, bytes.count - 1)
        while low < high {
            bytes.swapAt(low, high)
            (low, high) = (low + 1, high - 1)
        }
    }
}
