import RESP

/// Keys in one piece of memory, each found again by a number of four bytes.
///
/// A key takes its length rounded up to eight bytes. The place of one that was removed goes to the next
/// key of that size, so a table whose keys come and go does not grow.
struct KeyArena: Sendable {
    /// A longer key is none of this arena's: one in millions, and a client could fill the arena with few of
    /// them.
    static let longestKey = 1 << 10
    private static let unit = 8
    private static let none = UInt32.max

    private var bytes: [UInt8] = []
    /// For each size the first free place; each free place holds the next one.
    private var free = [UInt32](repeating: none, count: longestKey / unit + 1)

    /// What was taken from the system for keys, those in use and those free again.
    var size: Int { bytes.count }

    static func roundedUp(_ length: Int) -> Int { max(unit, (length + unit - 1) & ~(unit - 1)) }

    /// Bytes of the keys in use.
    private(set) var used = 0

    /// Whether a key of this length has a place that costs no more than `limit` bytes in all.
    func hasRoom(for length: Int, within limit: Int) -> Bool {
        let size = Self.roundedUp(length)
        return free[size / Self.unit] != Self.none || bytes.count + size <= limit
    }

    /// Much of it is free, and of sizes that are not asked for: worth moving all keys.
    var isSparse: Bool { used < size / 4 * 3 }

    /// An empty one that takes no more memory than the keys in use need.
    func emptied() -> KeyArena {
        var arena = KeyArena()
        arena.bytes.reserveCapacity(used)
        return arena
    }

    /// - Returns: where the key lies.
    mutating func add(_ key: RawSpan) -> UInt32 {
        precondition(key.byteCount <= Self.longestKey)
        let size = Self.roundedUp(key.byteCount)
        let place = free[size / Self.unit]
        used += size
        guard place != Self.none else {
            let start = bytes.count
            if bytes.capacity < start + size { bytes.reserveCapacity(start + start / 4 + (64 << 10)) }
            bytes.append(copying: key)
            for _ in key.byteCount..<size { bytes.append(0) }
            return UInt32(start / Self.unit)
        }
        let start = Int(place) * Self.unit
        free[size / Self.unit] = number(at: start)
        for index in 0..<key.byteCount { bytes[start + index] = key.byte(at: index) }
        return place
    }

    mutating func remove(_ place: UInt32, length: Int) {
        let size = Self.roundedUp(length)
        used -= size
        let following = free[size / Self.unit]
        for index in 0..<4 {
            bytes[Int(place) * Self.unit + index] = UInt8(truncatingIfNeeded: following >> UInt32(8 * index))
        }
        free[size / Self.unit] = place
    }

    func withKey<Result>(_ place: UInt32, length: Int, _ body: (RawSpan) -> Result) -> Result {
        let start = Int(place) * Self.unit
        // Unsafe in name only: a byte has no padding.
        return body(unsafe bytes.span.bytes.extracting(start..<start + length))
    }

    private func number(at start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
    }
}
