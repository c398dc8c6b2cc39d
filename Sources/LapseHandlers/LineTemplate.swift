import RESP

/// A line with places for a key and a number: the next line that differs in nothing else is a copy in
/// which these are written over.
///
/// Beside each other stand hundreds of such lines, and one copy costs less than putting a line
/// together.
struct LineTemplate {
    private var bytes: [UInt8] = []
    private var key = 0..<0
    private var digits = 0..<0

    /// - Parameters:
    ///   - line: with its newline.
    ///   - key: where the key stands, by the indices of `line`.
    ///   - digits: where the number stands.
    mutating func take(_ line: ArraySlice<UInt8>, key: Range<Int>, digits: Range<Int>) {
        clear()
        bytes.append(contentsOf: line)
        self.key = key.lowerBound - line.startIndex..<key.upperBound - line.startIndex
        self.digits = digits.lowerBound - line.startIndex..<digits.upperBound - line.startIndex
    }

    /// Nothing fits until it takes another line.
    mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    func fits(key length: Int, digits count: Int) -> Bool {
        !bytes.isEmpty && key.count == length && digits.count == count
    }

    /// - Parameters:
    ///   - text: a key that needs no escaping, of the length that ``fits(key:digits:)`` was asked for.
    ///   - number: as many digits as it was asked for.
    func append(to lines: inout [UInt8], _ text: RawSpan, _ number: [UInt8]) {
        let begin = lines.count
        lines.append(contentsOf: bytes)
        var line = lines.mutableSpan
        for offset in 0..<text.byteCount { line[begin + key.lowerBound + offset] = text.byte(at: offset) }
        for offset in number.indices { line[begin + digits.lowerBound + offset] = number[offset] }
    }
}
