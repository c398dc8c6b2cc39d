import DequeModule

/// The ordinals that were taken up and are not finished, in order: a bit each, in words of 64
/// neighbours.
///
/// They come nearly in order and go nearly in order, so both are done at an end, and the smallest one,
/// which decides what the log must keep, stands in front. Where one in the middle goes, mostly nothing
/// moves.
package struct PendingOrdinals: Sendable, Hashable, ExpressibleByArrayLiteral {
    private struct Word: Sendable, Hashable {
        /// Of the ordinals through 64.
        var index: UInt64
        /// Never 0.
        var bits: UInt64
    }

    private var words: Deque<Word> = []
    package private(set) var count = 0

    package init() {}
    package init(arrayLiteral elements: UInt64...) { self.init(elements) }
    package init(_ elements: some Sequence<UInt64>) { for element in elements { insert(element) } }

    package var isEmpty: Bool { count == 0 }
    package var min: UInt64? { words.first.map { $0.index << 6 | UInt64($0.bits.trailingZeroBitCount) } }
    /// Smallest first.
    package var sorted: [UInt64] {
        words.flatMap { word in
            (0..<64).filter { word.bits & 1 << $0 != 0 }.map { word.index << 6 | $0 }
        }
    }

    package func contains(_ ordinal: UInt64) -> Bool {
        let place = place(of: ordinal >> 6)
        return place < words.count && words[place].index == ordinal >> 6 && words[place].bits & 1 << (ordinal & 63) != 0
    }

    package mutating func insert(_ ordinal: UInt64) { insert(1 << (ordinal & 63), word: ordinal >> 6) }

    package mutating func remove(_ ordinal: UInt64) { remove(1 << (ordinal & 63), word: ordinal >> 6) }

    mutating func insert(_ ordinals: ClosedRange<UInt64>) {
        for index in ordinals.lowerBound >> 6...ordinals.upperBound >> 6 {
            insert(Self.bits(of: ordinals, word: index), word: index)
        }
    }

    mutating func remove(_ ordinals: ClosedRange<UInt64>) {
        for index in ordinals.lowerBound >> 6...ordinals.upperBound >> 6 {
            remove(Self.bits(of: ordinals, word: index), word: index)
        }
    }

    private static func bits(of ordinals: ClosedRange<UInt64>, word index: UInt64) -> UInt64 {
        let first = Swift.max(ordinals.lowerBound, index << 6) & 63
        let last = Swift.min(ordinals.upperBound, index << 6 | 63) & 63
        return (.max << first) & (.max >> (63 - last))
    }

    private mutating func insert(_ bits: UInt64, word index: UInt64) {
        let place = place(of: index)
        if place == words.count || words[place].index != index {
            words.insert(Word(index: index, bits: bits), at: place)
            count += bits.nonzeroBitCount
        } else {
            count += (bits & ~words[place].bits).nonzeroBitCount
            words[place].bits |= bits
        }
    }

    private mutating func remove(_ bits: UInt64, word index: UInt64) {
        let place = place(of: index)
        guard place < words.count, words[place].index == index else { return }
        let left = words[place].bits & ~bits
        count -= (words[place].bits & bits).nonzeroBitCount
        if left == 0 { words.remove(at: place) } else { words[place].bits = left }
    }

    /// Where the word is, or where it belongs. Mostly it is the last one or the first.
    private func place(of index: UInt64) -> Int {
        guard let last = words.last, last.index >= index else { return words.count }
        if last.index == index { return words.count - 1 }
        var low = 0
        var high = words.count
        if words[0].index >= index { return 0 }
        while low < high {
            let middle = (low + high) / 2
            if words[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
