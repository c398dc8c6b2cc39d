import DequeModule

/// The ordinals that were taken up and are not finished, in order.
///
/// They come nearly in order and go nearly in order, so both are done at an end, and the smallest one, which decides what the
/// log must keep, stands in front. A set would hash each ordinal twice.
package struct PendingOrdinals: Sendable, Equatable, ExpressibleByArrayLiteral {
    private var ordinals: Deque<UInt64> = []

    package init() {}
    package init(arrayLiteral elements: UInt64...) { self.init(elements) }
    package init(_ elements: some Sequence<UInt64>) { for element in elements { insert(element) } }

    package var count: Int { ordinals.count }
    package var isEmpty: Bool { ordinals.isEmpty }
    package var min: UInt64? { ordinals.first }
    /// Smallest first.
    package var sorted: [UInt64] { Array(ordinals) }

    package mutating func insert(_ ordinal: UInt64) {
        guard let last = ordinals.last, last >= ordinal else { return ordinals.append(ordinal) }
        let place = place(of: ordinal)
        if ordinals[place] != ordinal { ordinals.insert(ordinal, at: place) }
    }

    package mutating func remove(_ ordinal: UInt64) {
        if ordinals.first == ordinal {
            ordinals.removeFirst()
            return
        }
        let place = place(of: ordinal)
        if place < ordinals.count, ordinals[place] == ordinal { ordinals.remove(at: place) }
    }

    /// Where it is, or where it belongs.
    private func place(of ordinal: UInt64) -> Int {
        var low = 0
        var high = ordinals.count
        while low < high {
            let middle = (low + high) / 2
            if ordinals[middle] < ordinal { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
