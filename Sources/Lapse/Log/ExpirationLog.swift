import RESP

/// The expirations received from one node process, in order: the queue, the buffer and the journal in
/// one.
///
/// Keys lie back to back in chunks; an entry costs its key and 12 bytes (28 where its deadline was
/// asked for), and appending allocates only for a new chunk. Ordinals are consecutive inside a chunk;
/// between chunks lie the gaps.
package struct ExpirationLog {
    /// What the log knows of one expiration besides its key.
    package struct Entry {
        package var ordinal: UInt64
        package var database: UInt16
        /// Milliseconds since 1970.
        package var receivedAt: UInt64
        package var provenance: Provenance
        /// Not heard by this replica, but by a peer.
        package var isRepaired: Bool
    }

    /// An array, because its elements are read and changed in place; a deque hands out copies.
    var chunks: [LogChunk] = []
    private let chunkBytes: Int
    /// Bytes of keys and entries kept.
    package internal(set) var bytes = 0
    /// Entries kept.
    package internal(set) var count = 0
    /// What the arrays of the chunks have reserved.
    var reserved = 0
    /// What all of it takes in memory.
    package var footprint: Int { reserved + chunks.count * Self.chunkOverhead }
    /// The heads of a chunk's arrays, and the chunk itself.
    private static let chunkOverhead = 160
    /// Trimmed since they were last taken, where they are wanted: see ``ShedChunks``.
    private var shed: [LogChunk] = []
    private let shedsChunks: Bool
    /// Bytes of chunks with a single key that is larger than a chunk should be.
    private var largeBytes = 0

    /// - Parameter chunkBytes: how many bytes of keys share a chunk; the log is trimmed by whole chunks.
    package init(chunkBytes: Int = 32 << 10, shedsChunks: Bool = false) {
        self.chunkBytes = chunkBytes
        self.shedsChunks = shedsChunks
    }

    /// What was trimmed since; it is returned once.
    mutating func takeShed() -> [LogChunk] {
        defer { shed = [] }
        return shed
    }

    var hasShed: Bool { !shed.isEmpty }

    /// The first and last ordinal kept, of those that have one.
    package var firstOrdinal: UInt64? { chunks.first { $0.isNumbered }?.first }
    package var lastOrdinal: UInt64? { chunks.last { $0.isNumbered }?.last }

    /// Adds keys that were announced one behind the other.
    ///
    /// - Parameters:
    ///   - number: the ordinal of the first, or while the subscription has no mark yet its index in the
    ///     subscription.
    ///   - now: milliseconds since 1970.
    ///   - deadlines: one for each key, or none at all.
    package mutating func append(
        _ run: borrowing some KeyRun & ~Copyable, database: UInt16, number: UInt64, isNumbered: Bool, now: UInt64,
        provenance: Provenance, deadlines: [KnownDeadline] = []
    ) {
        let origin = LogChunk.Origin(
            database: database, number: number, isNumbered: isNumbered, now: now, provenance: provenance,
            hasDeadlines: !deadlines.isEmpty)
        run.withPayloads { append($0, count: run.count, origin, deadlines) { run.length(at: $0) } }
    }

    /// Adds one entry.
    package mutating func append(
        _ key: RawSpan, database: UInt16, number: UInt64, isNumbered: Bool, now: UInt64, provenance: Provenance
    ) {
        let origin = LogChunk.Origin(
            database: database, number: number, isNumbered: isNumbered, now: now, provenance: provenance)
        append(key, count: 1, origin, []) { _ in key.byteCount }
    }

    private mutating func append(
        _ keys: RawSpan, count: Int, _ first: LogChunk.Origin, _ deadlines: [KnownDeadline], length: (Int) -> Int
    ) {
        var origin = first
        var index = 0
        var offset = 0
        while index < count {
            if isBehind(origin) {
                // The feed lags behind what a peer told: in between, where it belongs, unless it is there already.
                let key = keys.extracting(offset..<offset + length(index))
                if entry(origin.number) == nil { put(key, origin, deadlines.isEmpty ? [] : [deadlines[index]]) }
                index += 1
                offset += key.byteCount
            } else {
                let before = bytes
                let taken = addToTail(keys, from: offset, index..<count, origin, deadlines, length: length)
                index += taken
                offset += bytes - before - taken * origin.bytesAnEntry
            }
            origin.number = first.number + UInt64(index)
        }
    }

    // Chunks are looked at in place: a copy of one would make the next change copy its keys.

    private func isBehind(_ origin: LogChunk.Origin) -> Bool {
        let tail = chunks.endIndex - 1
        return tail >= 0 && origin.isNumbered && chunks[tail].isNumbered && chunks[tail].last >= origin.number
    }

    /// Adds as many as there is room for in the last chunk, or in a new one.
    private mutating func addToTail(
        _ keys: RawSpan, from offset: Int, _ indices: Range<Int>, _ origin: LogChunk.Origin,
        _ deadlines: [KnownDeadline], length: (Int) -> Int
    ) -> Int {
        let tail = chunks.endIndex - 1
        var new = LogChunk(for: origin)
        if tail >= 0, chunks[tail].mayBeFollowed(by: origin) {
            let taken = add(keys, from: offset, indices, origin, deadlines, to: tail, length: length)
            if taken > 0 { return taken }
            new.reserve(chunks[tail].extent)
        }
        if tail >= 0 { close(tail) }
        reserved += new.reserved
        chunks.append(new)
        return add(keys, from: offset, indices, origin, deadlines, to: tail + 1, length: length)
    }

    private mutating func add(
        _ keys: RawSpan, from offset: Int, _ indices: Range<Int>, _ origin: LogChunk.Origin,
        _ deadlines: [KnownDeadline], to place: Int, length: (Int) -> Int
    ) -> Int {
        let before = (bytes: chunks[place].bytes, reserved: chunks[place].reserved)
        let taken = chunks[place].take(
            keys, from: offset, indices, within: chunkBytes, origin, deadlines: deadlines, length: length)
        let added = chunks[place].bytes - before.bytes
        bytes += added
        reserved += chunks[place].reserved - before.reserved
        count += taken
        if added > chunkBytes, isLarge(chunks[place]) { largeBytes += added }
        return taken
    }

    private mutating func close(_ place: Int) {
        let before = chunks[place].reserved
        chunks[place].close()
        reserved += chunks[place].reserved - before
    }

    /// It is kept no more.
    mutating func forget(_ chunk: LogChunk) {
        bytes -= chunk.bytes
        reserved -= chunk.reserved
        count -= chunk.count
        if isLarge(chunk) { largeBytes -= chunk.bytes }
    }

    /// Adds one entry where it belongs.
    mutating func put(_ key: RawSpan, _ origin: LogChunk.Origin, _ deadline: [KnownDeadline] = []) {
        let at = firstChunk(after: origin.number)
        if at > 0, chunks[at - 1].mayBeFollowed(by: origin),
            add(key, from: 0, 0..<1, origin, deadline, to: at - 1, length: { _ in key.byteCount }) > 0
        {
            return
        }
        chunks.insert(LogChunk(for: origin), at: at)
        _ = add(key, from: 0, 0..<1, origin, deadline, to: at, length: { _ in key.byteCount })
    }

    /// Drops what was never numbered: the subscription broke before its first mark.
    ///
    /// - Returns: how many entries; they reappear in the gap that the next mark shows.
    package mutating func dropUnnumbered() -> Int {
        var dropped = 0
        while let tail = chunks.last, !tail.isNumbered {
            dropped += tail.count
            forget(tail)
            chunks.removeLast()
        }
        return dropped
    }

    /// Ends the doubt about entries that came after a silence, and before this look had begun.
    ///
    /// - Returns: whether all of it has ended: a role may have changed while a look was under way.
    package mutating func decide(look: Int) -> Bool {
        var isOver = true
        for index in chunks.indices {
            guard case .doubted(let before) = chunks[index].provenance else { continue }
            if before <= look { chunks[index].provenance = .decided(look: look) } else { isOver = false }
        }
        return isOver
    }

    /// Whether a look must still decide about any entry.
    var isInDoubt: Bool { chunks.contains { $0.provenance.isDoubted } }

    /// Ends it without the node's word.
    package mutating func abandonDoubt() {
        for index in chunks.indices {
            guard case .doubted(let look) = chunks[index].provenance else { continue }
            chunks[index].provenance = .abandoned(look: look)
        }
    }

    /// Drops whole chunks that end at or before `ordinal`.
    package mutating func trim(through ordinal: UInt64) {
        dropFirst(chunks.prefix { $0.isNumbered && $0.last <= ordinal }.count)
    }

    /// Drops whole chunks until the bounds hold; the newest chunk stays. Large keys may fill a quarter of
    /// the log: beyond that the oldest of them go first, so that a few huge ones, forged or not, push no
    /// others out.
    ///
    /// - Parameters:
    ///   - bytes: the most to keep, in bytes.
    ///   - oldest: drop what came before, in milliseconds since 1970.
    ///   - ordinal: up to this one. What has no number yet has only its time.
    /// - Returns: the ordinals of what was dropped, of those that have one. The others reappear in a gap
    ///   once numbered.
    package mutating func trim(
        toBytes limit: Int, oldest: UInt64, through ordinal: UInt64 = .max
    ) -> [ClosedRange<UInt64>] {
        func isAged(_ chunk: LogChunk) -> Bool { chunk.ended < oldest && (!chunk.isNumbered || chunk.last <= ordinal) }
        var dropped = bytes > limit && largeBytes > 0 ? dropLarge(toBytes: limit) : []
        while let head = chunks.first, (bytes > limit && chunks.count > 1) || isAged(head) {
            if head.isNumbered { dropped.append(head.first...head.last) }
            dropFirst(1)
        }
        return dropped
    }

    private mutating func dropLarge(toBytes limit: Int) -> [ClosedRange<UInt64>] {
        var dropped: [ClosedRange<UInt64>] = []
        var index = 0
        while index < chunks.count - 1, bytes > limit, largeBytes > limit / 4 {
            guard isLarge(chunks[index]) else {
                index += 1
                continue
            }
            if chunks[index].isNumbered { dropped.append(chunks[index].first...chunks[index].last) }
            forget(chunks[index])
            chunks.remove(at: index)
        }
        return dropped
    }

    private func isLarge(_ chunk: LogChunk) -> Bool { chunk.count == 1 && chunk.bytes > chunkBytes }

    /// After chunks have been taken out: seldom, and there are few large ones.
    mutating func countLarge() {
        guard largeBytes > 0 else { return }
        largeBytes = chunks.reduce(0) { $0 + (isLarge($1) ? $1.bytes : 0) }
    }

    private mutating func dropFirst(_ gone: Int) {
        for head in chunks.prefix(gone) { forget(head) }
        if shedsChunks { shed += chunks.prefix(gone) }
        chunks.removeFirst(gone)
    }

    /// Drops whole chunks from the front until no more than this is held in memory; the newest chunk stays.
    mutating func trim(toFootprint limit: Int) {
        while footprint > limit, chunks.count > 1 { dropFirst(1) }
    }

    /// The first chunk that holds something after `ordinal`; binary search over the numbered ones.
    func firstChunk(after ordinal: UInt64) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].isNumbered, chunks[middle].last <= ordinal { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
