/// Expirations in the order in which they are to be handled. Those of one stretch share what they have in common, so that a list
/// is made, passed on and thrown away without looking at each of them.
package struct WorkList: Sendable, RandomAccessCollection {
    private var sources: [WorkSource] = []
    private(set) var items: [WorkItem] = []

    /// None yet of so many.
    init(reserving count: Int = 0) { items.reserveCapacity(count) }

    /// None yet of so many of one stretch.
    init(of source: WorkSource, reserving count: Int) {
        sources = [source]
        items.reserveCapacity(count)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { items.count }
    package subscript(index: Int) -> Work { Work(source(index), items[index]) }

    func source(_ index: Int) -> WorkSource { sources[Int(items[index].source)] }

    /// From an index on, those that follow one another in their log, as long as they are wanted.
    func stretch(_ start: Int, _ isWanted: (Int) -> Bool) -> Range<Int> {
        var end = start + 1
        while end < items.count, isWanted(end), items[end].source == items[start].source,
            items[end].index == items[end - 1].index + 1
        {
            end += 1
        }
        return start..<end
    }

    /// Adds one of the stretch the list was made for.
    mutating func append(_ item: WorkItem) { items.append(item) }

    mutating func append(_ work: Work) {
        if sources.last?.excerpt !== work.source.excerpt { sources.append(work.source) }
        var item = work.item
        item.source = Int32(sources.count - 1)
        items.append(item)
    }

    mutating func append(contentsOf works: some Sequence<Work>) {
        for work in works { append(work) }
    }
}
