import DequeModule

/// Which keys have an expiration on its way, and what waits behind it. A pure value.
///
/// Nearly always nothing waits: so a key is a number in an open table, without a queue of its own.
struct KeyOrder {
    /// A power of two, at least twice as many as there are keys; zero is an empty slot.
    private var table = [UInt64](repeating: 0, count: 64)
    private var count = 0
    private var queues: [KeyHash: Deque<Delivery>] = [:]

    /// Whether anything waits.
    var isAnyAwaited: Bool { !queues.isEmpty }

    /// Whether none is on its way.
    var isEmpty: Bool { count == 0 }

    func contains(_ key: KeyHash) -> Bool { table[slot(of: key.number)] != 0 }

    /// Whether none of its key is on its way; else it is to ``wait(_:room:)``.
    mutating func enter(_ key: KeyHash) -> Bool {
        let slot = slot(of: key.number)
        guard table[slot] == 0 else { return false }
        table[slot] = key.number
        count += 1
        if count * 2 > table.count { grow() }
        return true
    }

    /// - Parameter room: how many may wait behind a key.
    /// - Returns: the oldest one of the key when there are more; it is not to wait any longer.
    mutating func wait(_ delivery: Delivery, room: Int) -> Delivery? {
        queues[delivery.keyHash, default: []].append(delivery)
        guard let count = queues[delivery.keyHash]?.count, count > room else { return nil }
        return popFirst(delivery.keyHash)
    }

    private mutating func popFirst(_ key: KeyHash) -> Delivery? {
        let first = queues[key]?.popFirst()
        if queues[key]?.isEmpty == true { queues[key] = nil }
        return first
    }

    /// The one that was on its way is done with: returns the next one. The key is gone with the last one.
    mutating func leave(_ key: KeyHash) -> Delivery? {
        if !queues.isEmpty, let next = popFirst(key) { return next }
        remove(at: slot(of: key.number))
        return nil
    }

    /// Where the number is, or the empty slot where it belongs.
    private func slot(of number: UInt64) -> Int {
        let mask = table.count - 1
        var slot = Int(truncatingIfNeeded: number) & mask
        while table[slot] != 0, table[slot] != number { slot = (slot + 1) & mask }
        return slot
    }

    /// Moves up what only stands behind because this slot was taken.
    private mutating func remove(at slot: Int) {
        guard table[slot] != 0 else { return }
        let mask = table.count - 1
        var hole = slot
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
        for number in old where number != 0 { table[slot(of: number)] = number }
    }
}
