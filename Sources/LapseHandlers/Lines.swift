/// Whole lines, one behind the other.
package struct Lines: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Where each ends.
    private var ends: [Int] = []

    package init(reserving count: Int = 0, bytes size: Int = 0) {
        bytes.reserveCapacity(size)
        ends.reserveCapacity(count)
    }

    /// One line.
    package init(_ line: [UInt8]) {
        bytes = line
        ends = [line.count]
    }

    package var count: Int { ends.count }

    /// Adds what one line consists of, with its newline.
    package mutating func append(_ write: (inout [UInt8]) -> Void) {
        write(&bytes)
        ends.append(bytes.count)
    }

    /// Whole lines together, as many as fit into `limit` bytes, or one that does not.
    func parts(upTo limit: Int) -> [(count: Int, bytes: ArraySlice<UInt8>)] {
        var parts: [(count: Int, bytes: ArraySlice<UInt8>)] = []
        var (begin, first) = (0, 0)
        for (index, end) in ends.enumerated() where end - begin > limit && index > first {
            parts.append((index - first, bytes[begin..<ends[index - 1]]))
            (begin, first) = (ends[index - 1], index)
        }
        if first < count { parts.append((count - first, bytes[begin...])) }
        return parts
    }

    /// How many whole lines the first `offset` bytes hold.
    func whole(in offset: Int) -> Int {
        // They are looked at from their end: nearly always all of them have been written.
        var count = ends.count
        while count > 0, ends[count - 1] > offset { count -= 1 }
        return count
    }

    /// Where the line ends in which `offset` lies; `offset` itself where it is a line's end.
    func end(after offset: Int) -> Int {
        let whole = whole(in: offset)
        let begin = whole == 0 ? 0 : ends[whole - 1]
        return begin == offset ? offset : ends[whole]
    }
}
