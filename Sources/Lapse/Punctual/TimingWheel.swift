/// A hierarchical timing wheel over the places of an arena: finds what is due among a million times at
/// the cost of one. Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987). Pure:
/// it has no clock.
///
/// Six levels of 64 slots, from 1 ms to two years; a word a level says which are occupied. A time
/// stands at the level of the highest bits in which it differs from the wheel's, and moves down when
/// the wheel reaches its slot, five times at most. The caller's payload lies beside the links:
/// elsewhere it would cost a cache miss.
struct TimingWheel<Payload: Sendable>: Sendable {
    private struct Node: Sendable {
        var next: UInt32
        var previous: UInt32
        var time: Int64
        var payload: Payload
    }

    private static var levels: Int { 6 }
    private static var slotCount: Int { levels * 64 }
    /// The list of what is due, behind those of the slots.
    private static var dueList: UInt32 { UInt32(slotCount) }
    private static var heads: Int { slotCount + 1 }
    /// The longest way ahead that the levels hold; what lies beyond waits at the end, and is then looked at
    /// anew. Less than a whole turn of the highest level, or its slot would be the one where the wheel
    /// stands.
    private static var reach: Int64 { 63 << 30 }

    /// Circular lists: the first ``heads`` are those of the slots themselves, so an entry leaves its list
    /// without knowing it.
    private var nodes: [Node]
    private let empty: Payload
    private var occupied = [UInt64](repeating: 0, count: levels)
    /// Milliseconds. What lies before it, or on it, is due.
    private(set) var now: Int64
    /// Entries that stand in the wheel.
    private(set) var count = 0

    /// - Parameter empty: what a new place holds.
    init(now: Int64, empty: Payload) {
        self.now = now
        self.empty = empty
        nodes = (0..<UInt32(Self.heads)).map { Node(next: $0, previous: $0, time: 0, payload: empty) }
    }

    /// What one entry takes.
    static var bytesAnEntry: Int { MemoryLayout<Node>.stride }

    /// How many places there are.
    var places: Int { nodes.count - Self.heads }

    /// A new place.
    mutating func addPlace() -> Int {
        // A quarter, not twice as much: a bound of memory counts it.
        if nodes.count == nodes.capacity { nodes.reserveCapacity(nodes.count + nodes.count / 4 + 1_024) }
        let node = UInt32(nodes.count)
        nodes.append(Node(next: node, previous: node, time: 0, payload: empty))
        return places - 1
    }

    subscript(place: Int) -> Payload {
        get { nodes[Self.heads + place].payload }
        _modify { yield &nodes[Self.heads + place].payload }
    }

    func time(of place: Int) -> Int64 { nodes[Self.heads + place].time }

    func contains(_ place: Int) -> Bool { nodes[Self.heads + place].next != UInt32(Self.heads + place) }

    /// The place stands at this time from now on, wherever it stood before.
    mutating func insert(_ place: Int, at time: Int64) {
        remove(place)
        nodes[Self.heads + place].time = time
        count += 1
        link(place, at: time)
    }

    mutating func remove(_ place: Int) {
        guard contains(place) else { return }
        count -= 1
        unlink(place)
    }

    /// Time goes on; it never goes back, see ``rewind(to:)``.
    mutating func advance(to time: Int64) {
        while let (level, slot, begin) = nextSlot(), begin <= time {
            now = max(now, begin)
            let head = UInt32(level * 64 + slot)
            occupied[level] &= ~(1 << UInt64(slot))
            if level == 0 {
                splice(head)
            } else {
                moveDown(head)
            }
        }
        now = max(now, time)
    }

    /// The clock was set back: every entry finds its slot anew.
    mutating func rewind(to time: Int64) {
        var places: [Int] = []
        places.reserveCapacity(count)
        for place in 0..<self.places where contains(place) { places.append(place) }
        for place in places { unlink(place) }
        now = time
        for place in places { link(place, at: self.time(of: place)) }
    }

    /// Takes the entry that became due first.
    mutating func popDue() -> Int? {
        let first = nodes[Int(Self.dueList)].next
        guard first != Self.dueList else { return nil }
        let place = Int(first) - Self.heads
        remove(place)
        return place
    }

    var hasDue: Bool { nodes[Int(Self.dueList)].next != Self.dueList }

    /// When to look again: an entry may be due then, or moves down. Nil when it is empty.
    var nextTime: Int64? {
        if hasDue { return now }
        return nextSlot()?.begin
    }

    /// An entry that stands further ahead than nearly all others: one of the last slot of the highest level
    /// in use.
    var furthest: Int? {
        for level in (0..<Self.levels).reversed() where occupied[level] != 0 {
            // In the order of time the slots begin behind the wheel's own time.
            let shift = UInt64(slot(of: now, level))
            let ahead = rotate(occupied[level], by: shift)
            let slot = (63 - ahead.leadingZeroBitCount + Int(shift)) & 63
            return Int(nodes[level * 64 + slot].next) - Self.heads
        }
        return nil
    }

    // MARK: - Slots

    private func slot(of time: Int64, _ level: Int) -> Int { Int(time >> Int64(6 * level)) & 63 }

    private func rotate(_ word: UInt64, by shift: UInt64) -> UInt64 {
        shift == 0 ? word : word >> shift | word << (64 - shift)
    }

    /// The first occupied slot in the order of time, and when it begins.
    private func nextSlot() -> (level: Int, slot: Int, begin: Int64)? {
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(slot(of: now, level))
            let ahead = rotate(occupied[level], by: shift).trailingZeroBitCount
            let width = Int64(6 * level)
            // The slot's number from the begin of time: at the top, a slot that was passed belongs to the next
            // turn.
            let begin = ((now >> width) + Int64(ahead)) << width
            return (level, (Int(shift) + ahead) & 63, begin)
        }
        return nil
    }

    private mutating func link(_ place: Int, at time: Int64) {
        guard time > now else { return append(place, to: Self.dueList) }
        let time = min(time, now + Self.reach)
        let difference = UInt64(bitPattern: time ^ now) | 63
        let level = min((63 - difference.leadingZeroBitCount) / 6, Self.levels - 1)
        let slot = slot(of: time, level)
        occupied[level] |= 1 << UInt64(slot)
        append(place, to: UInt32(level * 64 + slot))
    }

    private mutating func append(_ place: Int, to head: UInt32) {
        let node = UInt32(Self.heads + place)
        let last = nodes[Int(head)].previous
        nodes[Int(last)].next = node
        nodes[Int(node)].previous = last
        nodes[Int(node)].next = head
        nodes[Int(head)].previous = node
    }

    private mutating func unlink(_ place: Int) {
        let node = Self.heads + place
        let (before, after) = (nodes[node].previous, nodes[node].next)
        nodes[Int(before)].next = after
        nodes[Int(after)].previous = before
        nodes[node].next = UInt32(node)
        nodes[node].previous = UInt32(node)
        // Alone in a slot: its neighbour on both sides was the slot itself.
        if before == after, before < Self.dueList { occupied[Int(before) / 64] &= ~(1 << UInt64(before % 64)) }
    }

    /// A whole slot becomes due at once.
    private mutating func splice(_ head: UInt32) {
        let (first, last) = (nodes[Int(head)].next, nodes[Int(head)].previous)
        guard first != head else { return }
        let end = nodes[Int(Self.dueList)].previous
        nodes[Int(end)].next = first
        nodes[Int(first)].previous = end
        nodes[Int(last)].next = Self.dueList
        nodes[Int(Self.dueList)].previous = last
        nodes[Int(head)].next = head
        nodes[Int(head)].previous = head
    }

    private mutating func moveDown(_ head: UInt32) {
        var node = nodes[Int(head)].next
        nodes[Int(head)].next = head
        nodes[Int(head)].previous = head
        while node != head {
            let following = nodes[Int(node)].next
            let place = Int(node) - Self.heads
            link(place, at: time(of: place))
            node = following
        }
    }
}
