/// Expirations in the order in which they are to be handled. Those of one stretch share what they have
/// in common, and a part of a list shares its memory: so a list is made, divided, passed on and thrown
/// away without looking at each of them.
package struct DeliveryList: Sendable, RandomAccessCollection {
    private var slices: [LogSlice] = []
    private var entries: [DeliveryEntry] = []
    /// Which of `entries` are its own.
    private var bounds = 0..<0

    /// None yet of this many.
    init(reserving count: Int = 0) { entries.reserveCapacity(count) }

    /// None yet of this many of one stretch.
    init(of slice: LogSlice, reserving count: Int) {
        slices = [slice]
        entries.reserveCapacity(count)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { bounds.count }
    package subscript(index: Int) -> Delivery {
        let entry = entry(index)
        return Delivery(slices[Int(entry.slice)], entry)
    }

    func entry(_ index: Int) -> DeliveryEntry { entries[bounds.lowerBound + index] }

    func slice(_ index: Int) -> LogSlice { slices[Int(entry(index).slice)] }

    /// What the handler gets, but for its companion's value.
    func expiration(_ index: Int) -> Expiration {
        let entry = entry(index)
        return Expiration(slices[Int(entry.slice)], Int(entry.index))
    }

    /// Some of it; nothing is copied.
    func part(_ indices: Range<Int>) -> DeliveryList {
        var part = self
        part.bounds = bounds.lowerBound + indices.lowerBound..<bounds.lowerBound + indices.upperBound
        return part
    }

    /// From an index on, those that follow one another in their log, as long as they are wanted.
    func stretch(_ start: Int, _ isWanted: (Int) -> Bool) -> Range<Int> {
        var end = start + 1
        var last = entry(start)
        while end < count, isWanted(end) {
            let next = entry(end)
            guard next.slice == last.slice, next.index == last.index + 1 else { break }
            last = next
            end += 1
        }
        return start..<end
    }

    /// Adds one of the stretch the list was made for.
    mutating func append(_ entry: DeliveryEntry) {
        if bounds.upperBound < entries.count { entries.removeLast(entries.count - bounds.upperBound) }
        entries.append(entry)
        bounds = bounds.lowerBound..<entries.count
    }

    mutating func append(_ delivery: Delivery) {
        if slices.last !== delivery.slice { slices.append(delivery.slice) }
        var entry = delivery.entry
        entry.slice = Int32(slices.count - 1)
        append(entry)
    }

    mutating func append(contentsOf deliveries: some Sequence<Delivery>) {
        for delivery in deliveries { append(delivery) }
    }
}
