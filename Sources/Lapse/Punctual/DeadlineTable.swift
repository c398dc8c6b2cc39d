import RESP

/// The keys whose deadlines are kept, each with its place in the timing wheel, within a bound of
/// memory.
///
/// When there is no room the deadline furthest ahead gives way to a nearer one: the sweep brings it in
/// again before it is due. A key takes 40 bytes, five to eleven for its place in the index, and itself.
package struct DeadlineTable: Sendable {
    /// What is going on about a key.
    package struct State: OptionSet, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Its deadline is known.
        package static let known = State(rawValue: 1)
        /// It stands in the queue of questions.
        package static let queued = State(rawValue: 1 << 1)
        /// A question or a nudge is under way. Its place is not given to another key meanwhile.
        package static let asked = State(rawValue: 1 << 2)
        /// It was hinted at since it was asked: the answer may be of before.
        package static let again = State(rawValue: 1 << 3)
        /// It waits for the second in which it may be asked again.
        package static let trailing = State(rawValue: 1 << 4)
        /// Its expiration was heard; it is forgotten as soon as nothing is under way.
        package static let heard = State(rawValue: 1 << 5)
        /// It was gone when last asked.
        package static let gone = State(rawValue: 1 << 6)
        /// Its slot is on the way to this node, which takes no question without ASKING.
        package static let importing = State(rawValue: 1 << 7)
        /// It was gone, and the role of the node that said so was confirmed behind that.
        package static let missed = State(rawValue: 1 << 8)
        /// It was set again after its deadline: an expiration of before may still be announced.
        package static let owed = State(rawValue: 1 << 9)

        /// While one of these holds, the place is referred to from elsewhere.
        static let pinning: State = [.queued, .asked, .trailing]
    }

    package struct Entry: Sendable {
        /// By the server's clock, in milliseconds since 1970.
        package var deadline: Int64 = 0
        fileprivate var hash: UInt32 = 0
        /// In the arena; of a free place the next free one.
        fileprivate var key: UInt32 = 0
        /// When it was last asked, or since when it is gone, in milliseconds of the machine's time.
        var moment: UInt32 = 0
        fileprivate var length: UInt16 = 0
        package var state: State = []
    }

    private static let none = UInt32.max

    var wheel: TimingWheel<Entry>
    /// The most bytes that deadlines may take, see ``bytes``.
    package var limit: Int
    /// Keys beyond the limit whose deadlines are being asked for: an answer decides which of all are kept.
    static let slack = 4_096
    /// Keys in use whose deadline is not known.
    private var unknown = 0
    private var arena = KeyArena()
    /// Open addressing with a step of one; a power of two, at most three quarters full. A slot holds the
    /// place in as many low bits as number the slots, for no place is beyond them, and the key's hash in
    /// the others: most of the keys that stand in the way of a search need not be looked at.
    private var index: [UInt32]
    private var firstFree = none
    package private(set) var count = 0
    private let seed: UInt64

    /// - Parameters:
    ///   - now: the wheel's time.
    ///   - seed: of the hashes, so that a client cannot prepare keys that share one.
    init(limit: Int, now: Int64, seed: UInt64 = KeyHash.seed) {
        self.limit = limit
        self.seed = seed
        wheel = TimingWheel(now: now, empty: Entry())
        index = [UInt32](repeating: Self.none, count: 64)
    }

    /// What the keys in use take, with their share of everything else.
    package var bytes: Int { count * Self.bytesAnEntry + arena.used }

    /// Without the key: its entry, its place in the wheel, and the index when it is half full.
    static let bytesAnEntry = TimingWheel<Entry>.bytesAnEntry + 2 * MemoryLayout<UInt32>.stride

    package subscript(place: Int) -> Entry {
        get { wheel[place] }
        _modify { yield &wheel[place] }
    }

    package func withKey<Result>(_ place: Int, _ body: (RawSpan) -> Result) -> Result {
        arena.withKey(wheel[place].key, length: Int(wheel[place].length), body)
    }

    package func find(_ key: RawSpan) -> Int? { find(key, hash(of: key)) }

    /// The place of a key, a new one if it has none yet; nil when it is too long, or there is no room even
    /// to ask about it.
    mutating func place(of key: RawSpan) -> (place: Int, isNew: Bool)? {
        let hash = hash(of: key)
        if let place = find(key, hash) { return (place, false) }
        guard key.byteCount <= KeyArena.longestKey, bytes < limit || unknown < Self.slack, hasRoom(for: key.byteCount)
        else { return nil }
        if (count + 1) * 4 > index.count * 3 { rehash(index.count * 2) }
        let place = takePlace()
        wheel[place] = Entry(hash: hash, key: arena.add(key), length: UInt16(key.byteCount))
        Self.add(place, hash, to: &index)
        count += 1
        unknown += 1
        return (place, true)
    }

    /// The deadline of a key is known.
    ///
    /// - Returns: the deadlines that had to give way, its own or some further ahead.
    mutating func set(_ deadline: Int64, of place: Int) -> [Int64] {
        if !wheel[place].state.contains(.known) { unknown -= 1 }
        wheel[place].state.insert(.known)
        wheel[place].deadline = deadline
        // Overdue is what lies before the server's time: a key expires in the millisecond behind its deadline.
        wheel.insert(place, at: deadline + 1)
        var gone: [Int64] = []
        for _ in 0..<Self.attempts where bytes > limit {
            guard let furthest = wheel.furthest, wheel[furthest].deadline > deadline else { break }
            if wheel[furthest].state.isDisjoint(with: .pinning) {
                gone.append(wheel[furthest].deadline)
                remove(furthest)
            } else {
                // It is being asked about: the answer brings it back, and decides anew.
                wheel.remove(furthest)
            }
        }
        if bytes > limit, wheel[place].state.isDisjoint(with: .pinning) {
            gone.append(deadline)
            remove(place)
        }
        return gone
    }

    /// The expiration of that deadline was heard, and more is asked about the key.
    mutating func forgetDeadline(of place: Int) {
        guard wheel[place].state.contains(.known) else { return }
        wheel[place].state.remove(.known)
        wheel.remove(place)
        unknown += 1
    }

    /// How many others are looked at before the new deadline itself gives way.
    private static let attempts = 8

    /// Does nothing about a free place.
    mutating func remove(_ place: Int) {
        let entry = wheel[place]
        guard dropFromIndex(place, entry.hash) else { return }
        wheel.remove(place)
        arena.remove(entry.key, length: Int(entry.length))
        if !entry.state.contains(.known) { unknown -= 1 }
        wheel[place] = Entry(key: firstFree)
        firstFree = UInt32(place)
        count -= 1
    }

    private mutating func hasRoom(for length: Int) -> Bool {
        let limit = max(limit, 1 << 20)
        if arena.hasRoom(for: length, within: limit) { return true }
        guard arena.isSparse else { return false }
        compact()
        return arena.hasRoom(for: length, within: limit)
    }

    /// Gives back what keys of other sizes have left. A quarter of the arena must fill up before it comes
    /// again.
    private mutating func compact() {
        var fresh = arena.emptied()
        for place in places {
            wheel[place].key = withKey(place) { fresh.add($0) }
        }
        arena = fresh
    }

    /// All places in use, in no order.
    package var places: [Int] { index.compactMap { $0 == Self.none ? nil : place(in: $0) } }

    private mutating func takePlace() -> Int {
        guard firstFree != Self.none else { return wheel.addPlace() }
        let place = Int(firstFree)
        firstFree = wheel[place].key
        return place
    }

    // MARK: - The index

    private func hash(of key: RawSpan) -> UInt32 {
        UInt32(truncatingIfNeeded: KeyHash(key, database: 0, seed: seed).number)
    }

    private func find(_ key: RawSpan, _ hash: UInt32) -> Int? {
        let mask = index.count - 1
        var slot = Int(hash) & mask
        while index[slot] != Self.none {
            if (index[slot] ^ hash) & ~UInt32(mask) == 0 {
                let place = place(in: index[slot])
                if wheel[place].hash == hash, Int(wheel[place].length) == key.byteCount,
                    withKey(place, { Self.areEqual($0, key) })
                {
                    return place
                }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func place(in slot: UInt32) -> Int { Int(slot) & (index.count - 1) }

    private static func add(_ place: Int, _ hash: UInt32, to index: inout [UInt32]) {
        let mask = index.count - 1
        var slot = Int(hash) & mask
        while index[slot] != none { slot = (slot + 1) & mask }
        index[slot] = hash & ~UInt32(mask) | UInt32(place)
    }

    private static func areEqual(_ left: RawSpan, _ right: RawSpan) -> Bool {
        var at = 0
        while at < left.byteCount {
            guard left.word(at: at) == right.word(at: at) else { return false }
            at += 8
        }
        return true
    }

    private mutating func rehash(_ size: Int) {
        var fresh = [UInt32](repeating: Self.none, count: size)
        for slot in index where slot != Self.none {
            let place = place(in: slot)
            Self.add(place, wheel[place].hash, to: &fresh)
        }
        index = fresh
    }

    /// Closes the hole: those behind it that were put off by it move up. False when the place is not in the
    /// index.
    private mutating func dropFromIndex(_ place: Int, _ hash: UInt32) -> Bool {
        let mask = index.count - 1
        var hole = Int(hash) & mask
        let entry = hash & ~UInt32(mask) | UInt32(place)
        while index[hole] != entry {
            guard index[hole] != Self.none else { return false }
            hole = (hole + 1) & mask
        }
        var slot = (hole + 1) & mask
        while index[slot] != Self.none {
            let home = Int(wheel[self.place(in: index[slot])].hash) & mask
            if (slot - home) & mask >= (slot - hole) & mask {
                index[hole] = index[slot]
                hole = slot
            }
            slot = (slot + 1) & mask
        }
        index[hole] = Self.none
        return true
    }
}
