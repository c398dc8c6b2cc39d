import DequeModule

/// Which keys have an expiration on its way, and what waits behind it. A pure value.
///
/// Nearly always nothing waits: so a line is a number in an open table, without a queue of its own.
struct KeyLines {
    /// A power of two, at least twice as many as there are lines; zero is an empty place.
    private var table = [UInt64](repeating: 0, count: 64)
    private var count = 0
    private var queues: [KeyLine: Deque<Work>] = [:]

    /// Whether anything waits.
    var isAnyAwaited: Bool { !queues.isEmpty }

    func contains(_ line: KeyLine) -> Bool { table[place(of: line.number)] != 0 }

    /// Whether it is the first of its line; else it is to ``wait(_:)`` there.
    mutating func enter(_ line: KeyLine) -> Bool {
        let place = place(of: line.number)
        guard table[place] == 0 else { return false }
        table[place] = line.number
        count += 1
        if count * 2 > table.count { grow() }
        return true
    }

    /// - Parameter room: how many may wait in a line.
    /// - Returns: the oldest one of the line when there are more; they are not to wait any longer.
    mutating func wait(_ work: Work, room: Int) -> Work? {
        queues[work.line, default: []].append(work)
        guard let count = queues[work.line]?.count, count > room else { return nil }
        return popFirst(work.line)
    }

    private mutating func popFirst(_ line: KeyLine) -> Work? {
        let first = queues[line]?.popFirst()
        if queues[line]?.isEmpty == true { queues[line] = nil }
        return first
    }

    /// The one that was on its way is done with: who comes next. The line is gone with the last one.
    mutating func leave(_ line: KeyLine) -> Work? {
        if !queues.isEmpty, let next = popFirst(line) { return next }
        remove(at: place(of: line.number))
        return nil
    }

    /// Where the number is, or the empty place where it belongs.
    private func place(of number: UInt64) -> Int {
        let mask = table.count - 1
        var place = Int(truncatingIfNeeded: number) & mask
        while table[place] != 0, table[place] != number { place = (place + 1) & mask }
        return place
    }

    /// Moves up what only stands behind because this place was taken.
    private mutating func remove(at place: Int) {
        guard table[place] != 0 else { return }
        let mask = table.count - 1
        var hole = place
        var next = (hole + 1) & mask
        while table[next] != 0 {
            let home = Int(truncatingIfNeeded: table[next]) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                table[hole] = table[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        table[hole] = 0
        count -= 1
    }

    private mutating func grow() {
        let old = table
        table = [UInt64](repeating: 0, count: old.count * 2)
        for number in old where number != 0 { table[place(of: number)] = number }
    }
}
