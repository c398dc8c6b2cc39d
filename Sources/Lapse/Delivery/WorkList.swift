/// Expirations in the order in which they are to be handled. Those of one stretch share what they have in common, and a part of a
/// list shares its memory: so a list is made, divided, passed on and thrown away without looking at each of them.
package struct WorkList: Sendable, RandomAccessCollection {
    private var sources: [WorkSource] = []
    private var items: [WorkItem] = []
    /// Which of `items` are its own.
    private var bounds = 0..<0

    /// None yet of this many.
    init(reserving count: Int = 0) { items.reserveCapacity(count) }

    /// None yet of this many of one stretch.
    init(of source: WorkSource, reserving count: Int) {
        sources = [source]
        items.reserveCapacity(count)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { bounds.count }
    package subscript(index: Int) -> Work {
        let item = item(index)
        return Work(sources[Int(item.source)], item)
    }

    func item(_ index: Int) -> WorkItem { items[bounds.lowerBound + index] }

    func source(_ index: Int) -> WorkSource { sources[Int(item(index).source)] }

    /// What the handler gets, but for its companion's value.
    func expiration(_ index: Int) -> Expiration {
        let item = item(index)
        return Expiration(sources[Int(item.source)].excerpt, Int(item.index))
    }

    /// Some of it; nothing is copied.
    func part(_ indices: Range<Int>) -> WorkList {
        var part = self
        part.bounds = bounds.lowerBound + indices.lowerBound..<bounds.lowerBound + indices.upperBound
        return part
    }

    /// From an index on, those that follow one another in their log, as long as they are wanted.
    func stretch(_ start: Int, _ isWanted: (Int) -> Bool) -> Range<Int> {
        var end = start + 1
        var last = item(start)
        while end < count, isWanted(end) {
            let next = item(end)
            guard next.source == last.source, next.index == last.index + 1 else { break }
            last = next
            end += 1
        }
        return start..<end
    }

    /// Adds one of the stretch the list was made for.
    mutating func append(_ item: WorkItem) {
        if bounds.upperBound < items.count { items.removeLast(items.count - bounds.upperBound) }
        items.append(item)
        bounds = bounds.lowerBound..<items.count
    }

    mutating func append(_ work: Work) {
        if sources.last?.excerpt !== work.source.excerpt { sources.append(work.source) }
        var item = work.item
        item.source = Int32(sources.count - 1)
        append(item)
    }

    mutating func append(contentsOf works: some Sequence<Work>) {
        for work in works { append(work) }
    }
}
