import Timing

/// What will happen, in the order of time, and for equal times in the order of being planned.
package struct EventQueue<Element> {
    private struct Entry {
        let time: Duration
        let number: Int
        let element: Element

        func isBefore(_ other: Entry) -> Bool {
            time == other.time ? number < other.number : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var planned = 0

    package init() {}

    package var nextTime: Duration? { heap.first?.time }

    package mutating func plan(_ element: Element, at time: Duration) {
        planned += 1
        heap.append(Entry(time: time, number: planned, element: element))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    package mutating func next() -> (time: Duration, element: Element)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < heap.count && heap[child].isBefore(heap[least]) {
                    least = child
                }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.element)
    }
}
