import RESP

/// A stretch of a log without a gap: keys back to back, and 12 bytes for each of them; 16 more where
/// their deadlines are known.
struct LogChunk: Sendable {
    struct Slot: Sendable {
        var end: UInt32
        var sinceChunk: UInt32
        var database: UInt16
    }

    /// What entries that come together have in common.
    struct Origin {
        var database: UInt16
        /// Of the first of them; the others follow.
        var number: UInt64
        var isNumbered: Bool
        /// Milliseconds since 1970.
        var now: UInt64
        var provenance: ExpirationLog.Provenance
        var isRepaired = false
        /// They come with their deadlines, as far as these are known.
        var hasDeadlines = false

        /// What each takes besides its key.
        var bytesAnEntry: Int { LogChunk.bytesAnEntry(hasDeadlines) }
    }

    private static func bytesAnEntry(_ hasDeadlines: Bool) -> Int {
        MemoryLayout<Slot>.stride + (hasDeadlines ? MemoryLayout<KnownDeadline>.stride : 0)
    }

    /// The ordinal of the first entry; while unnumbered, its index in the subscription.
    var first: UInt64
    var isNumbered: Bool
    var provenance: ExpirationLog.Provenance
    let isRepaired: Bool
    /// What follows may get other numbers.
    private var isSealed = false
    private let hasDeadlines: Bool
    private let began: UInt64
    private var slots: [Slot] = []
    private var keys: [UInt8] = []
    /// One for each slot, or none at all.
    private var deadlines: [KnownDeadline] = []

    /// An empty one.
    init(for origin: Origin) {
        first = origin.number
        isNumbered = origin.isNumbered
        provenance = origin.provenance
        isRepaired = origin.isRepaired
        hasDeadlines = origin.hasDeadlines
        began = origin.now
    }

    var count: Int { slots.count }
    var last: UInt64 { first + UInt64(slots.count) - 1 }
    var bytes: Int { keys.count + slots.count * Self.bytesAnEntry(hasDeadlines) }
    /// What its arrays have reserved.
    var reserved: Int {
        keys.capacity + slots.capacity * MemoryLayout<Slot>.stride
            + (hasDeadlines ? deadlines.capacity * MemoryLayout<KnownDeadline>.stride : 0)
    }
    /// When the last entry came, in milliseconds since 1970.
    var ended: UInt64 { began + UInt64(slots.last?.sinceChunk ?? 0) }

    /// How much one has taken that is full.
    struct Extent {
        fileprivate var keyBytes: Int
        fileprivate var slots: Int
    }

    var extent: Extent { Extent(keyBytes: keys.count, slots: slots.count) }

    /// Takes its memory at once: the chunk before it was filled.
    mutating func reserve(_ extent: Extent) {
        keys.reserveCapacity(extent.keyBytes)
        slots.reserveCapacity(extent.slots)
        if hasDeadlines { deadlines.reserveCapacity(extent.slots) }
    }

    /// Nothing follows here any more: gives back what was reserved in vain.
    mutating func close() {
        guard reserved > 1 << 10, bytes * 2 < reserved else { return }
        var exactKeys: [UInt8] = []
        exactKeys.reserveCapacity(keys.count)
        exactKeys.append(contentsOf: keys)
        keys = exactKeys
        var exactSlots: [Slot] = []
        exactSlots.reserveCapacity(slots.count)
        exactSlots.append(contentsOf: slots)
        slots = exactSlots
        if hasDeadlines { deadlines = [] + deadlines }
    }

    mutating func seal() { isSealed = true }

    /// Whether entries like these may follow here.
    func mayBeFollowed(by origin: Origin) -> Bool {
        !isSealed && isNumbered == origin.isNumbered && isRepaired == origin.isRepaired
            && hasDeadlines == origin.hasDeadlines && last + 1 == origin.number && provenance == origin.provenance
            && origin.now >= began && origin.now - began < UInt64(UInt32.max)
    }

    /// Adds as many of these keys as there is room for; an empty chunk takes one of any size.
    ///
    /// - Parameters:
    ///   - keys: back to back, from `offset` on those to be added.
    ///   - deadlines: of all keys that come together; empty where the origin has none.
    ///   - length: of the key at an index.
    /// - Returns: how many it took.
    mutating func take(
        _ keys: RawSpan, from offset: Int, _ indices: Range<Int>, within limit: Int, _ origin: Origin,
        deadlines: [KnownDeadline] = [], length: (Int) -> Int
    ) -> Int {
        let sinceChunk = UInt32(origin.now - began)
        let start = self.keys.count
        var end = start
        var index = indices.lowerBound
        while index < indices.upperBound {
            let next = end + length(index)
            if next > limit, !slots.isEmpty { break }
            end = next
            slots.append(Slot(end: UInt32(end), sinceChunk: sinceChunk, database: origin.database))
            index += 1
        }
        // Unsafe: the bytes are copied inside the closure, and the span's own bounds are checked.
        unsafe keys.extracting(offset..<offset + end - start).withUnsafeBytes {
            unsafe self.keys.append(contentsOf: $0)
        }
        if hasDeadlines { self.deadlines.append(contentsOf: deadlines[indices.lowerBound..<index]) }
        return index - indices.lowerBound
    }

    /// Keeps this many of the first entries.
    mutating func keep(_ count: Int) {
        if hasDeadlines { deadlines.removeLast(slots.count - count) }
        slots.removeLast(slots.count - count)
        keys.removeLast(keys.count - Int(slots.last?.end ?? 0))
    }

    /// A copy of some entries: of at most this many, and of no more bytes of keys, but of one in any case.
    func copy(from start: Int, upTo count: Int, bytes limit: Int) -> LogChunk {
        let offset = begin(of: start)
        var end = min(start + count, slots.count)
        while end > start + 1, Int(slots[end - 1].end) - offset > limit { end -= 1 }
        var copy = self
        copy.first = first + UInt64(start)
        copy.slots = Array(slots[start..<end])
        for index in copy.slots.indices { copy.slots[index].end -= UInt32(offset) }
        copy.keys = Array(keys[offset..<begin(of: end)])
        if hasDeadlines { copy.deadlines = Array(deadlines[start..<end]) }
        return copy
    }

    private func begin(of index: Int) -> Int { index == 0 ? 0 : Int(slots[index - 1].end) }

    func keyBytes(_ index: Int) -> Int { Int(slots[index].end) - begin(of: index) }

    func entry(_ index: Int) -> ExpirationLog.Entry {
        ExpirationLog.Entry(
            ordinal: first + UInt64(index), database: database(index), receivedAt: receivedAt(index),
            provenance: provenance, isRepaired: isRepaired)
    }

    func database(_ index: Int) -> UInt16 { slots[index].database }

    /// Milliseconds since 1970.
    func receivedAt(_ index: Int) -> UInt64 { began + UInt64(slots[index].sinceChunk) }

    /// Nil where it is not known.
    func deadline(_ index: Int) -> KnownDeadline? { hasDeadlines ? deadlines[index].known : nil }

    func withKey<Result>(_ index: Int, _ body: (RawSpan) -> Result) -> Result {
        // Unsafe in name only: a byte has no padding.
        body(unsafe keys.span.bytes.extracting(begin(of: index)..<Int(slots[index].end)))
    }

    /// Visits the entries from an index on, until the body returns false; true if it never did.
    func visit(from start: Int, _ body: (ExpirationLog.Entry, _ key: RawSpan) -> Bool) -> Bool {
        // Unsafe in name only: a byte has no padding.
        let bytes = unsafe keys.span.bytes
        var begin = begin(of: start)
        for index in start..<slots.count {
            let end = Int(slots[index].end)
            guard body(entry(index), bytes.extracting(begin..<end)) else { return false }
            begin = end
        }
        return true
    }
}
