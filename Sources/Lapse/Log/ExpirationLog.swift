package import NIOCore
import RESP

/// The expirations received from one node process, in order: the queue, the buffer and the journal in one.
///
/// Keys lie back to back in chunks; an entry costs its key and 12 bytes, and appending allocates only when a chunk is
/// full. Ordinals are consecutive inside a chunk; between chunks lie the gaps.
package struct ExpirationLog {
    /// Why the entries of a chunk may be believed to come from the owner of their slots.
    package enum Provenance: Equatable {
        /// The node answered its pings; `look` looks at the topology had begun when the entries came.
        case trusted(look: Int)
        /// The node had been silent: it may have lost its slots while frozen. To be decided.
        case doubted
        /// The doubt ended with the look of this number.
        case decided(look: Int)
        /// A peer knew that the node owned the slot.
        case vouched
        /// A peer found that the node no longer owned the slot.
        case disowned
    }

    /// One expiration as the log keeps it. The key is a slice of the log's memory.
    package struct Entry {
        package var ordinal: UInt64
        package var key: ByteBufferView
        package var database: UInt16
        /// Milliseconds since 1970.
        package var receivedAt: UInt64
        package var provenance: Provenance
        /// Not heard by this replica, but by a peer.
        package var isRepaired: Bool

        /// The key's hash slot in a cluster.
        package var slot: UInt16 {
            // Unsafe: the span is read inside the closure, which the buffer outlives.
            unsafe key.withUnsafeBytes { HashSlot.of(unsafe RawSpan(_unsafeBytes: $0)) }
        }
    }

    private struct Slot {
        var end: UInt32
        var sinceChunk: UInt32
        var database: UInt16
    }

    private struct NewEntry {
        var database: UInt16
        var number: UInt64
        var isNumbered: Bool
        var now: UInt64
        var provenance: Provenance
    }

    private struct Chunk {
        /// The ordinal of the first entry; while unnumbered, its index in the subscription.
        var first: UInt64
        var isNumbered: Bool
        var provenance: Provenance
        var isRepaired = false
        let began: UInt64
        var slots: [Slot] = []
        var keys: ByteBuffer

        var last: UInt64 { first + UInt64(slots.count) - 1 }
        var bytes: Int { keys.writerIndex + slots.count * MemoryLayout<Slot>.stride }

        /// Adds an entry if it may follow here.
        mutating func take(_ key: RawSpan, _ entry: NewEntry, within limit: Int) -> Bool {
            guard isNumbered == entry.isNumbered, !isRepaired, last + 1 == entry.number,
                provenance == entry.provenance, keys.writerIndex + key.byteCount <= limit,
                entry.now >= began, entry.now - began < UInt64(UInt32.max)
            else { return false }
            add(key, database: entry.database, now: entry.now)
            return true
        }

        /// Keeps the first so many entries.
        mutating func keep(_ count: Int) {
            slots.removeLast(slots.count - count)
            keys.moveWriterIndex(to: Int(slots.last?.end ?? 0))
        }

        mutating func add(_ key: RawSpan, database: UInt16, now: UInt64) {
            keys.writeBytes(key)
            slots.append(
                Slot(end: UInt32(keys.writerIndex), sinceChunk: UInt32(now - began), database: database))
        }
    }

    /// An array, because its elements are read and changed in place; a deque hands out copies.
    private var chunks: [Chunk] = []
    private let chunkBytes: Int
    /// Bytes of keys and entries kept.
    package private(set) var bytes = 0
    /// Entries kept.
    package private(set) var count = 0

    /// - Parameter chunkBytes: how many bytes of keys share a chunk; the log is trimmed by whole chunks.
    package init(chunkBytes: Int = 32 << 10) { self.chunkBytes = chunkBytes }

    /// The first and last ordinal kept, of those that have one.
    package var firstOrdinal: UInt64? { chunks.first { $0.isNumbered }?.first }
    package var lastOrdinal: UInt64? { chunks.last { $0.isNumbered }?.last }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - number: its ordinal, or while the subscription has no mark yet its index in the subscription.
    ///   - now: milliseconds since 1970.
    package mutating func append(
        _ key: RawSpan, database: UInt16, number: UInt64, isNumbered: Bool, now: UInt64, provenance: Provenance
    ) {
        let entry = NewEntry(
            database: database, number: number, isNumbered: isNumbered, now: now, provenance: provenance)
        if isNumbered, let tail = chunks.last, tail.isNumbered, tail.last >= number { return put(key, entry) }
        if chunks.isEmpty || !chunks[chunks.endIndex - 1].take(key, entry, within: chunkBytes) {
            chunks.append(begin(key, entry))
        }
        bytes += key.byteCount + MemoryLayout<Slot>.stride
        count += 1
    }

    private func begin(_ key: RawSpan, _ entry: NewEntry) -> Chunk {
        var chunk = Chunk(
            first: entry.number, isNumbered: entry.isNumbered, provenance: entry.provenance, began: entry.now,
            keys: ByteBuffer())
        chunk.keys.reserveCapacity(key.byteCount > chunkBytes ? key.byteCount : min(chunkBytes, 4 << 10))
        chunk.add(key, database: entry.database, now: entry.now)
        return chunk
    }

    /// The feed lags behind what a peer told: in between, where it belongs, unless it is there already.
    private mutating func put(_ key: RawSpan, _ entry: NewEntry) {
        guard self.entry(entry.number) == nil else { return }
        let at = firstChunk(after: entry.number)
        if at == 0 || !chunks[at - 1].take(key, entry, within: chunkBytes) { chunks.insert(begin(key, entry), at: at) }
        bytes += key.byteCount + MemoryLayout<Slot>.stride
        count += 1
    }

    /// Puts in what a peer heard, where it belongs; what is there already is passed over.
    ///
    /// - Parameter heard: sorted by ordinal.
    /// - Returns: how many were new.
    package mutating func insert(_ heard: [HeardExpiration], provenance: Provenance) -> Int {
        var inserted = 0
        for one in heard where entry(one.ordinal) == nil {
            let at = firstChunk(after: one.ordinal)
            let before = at - 1
            let fits =
                before >= 0 && chunks[before].isRepaired && chunks[before].last + 1 == one.ordinal
                && chunks[before].provenance == provenance && one.receivedAt >= chunks[before].began
                && one.receivedAt - chunks[before].began < UInt64(UInt32.max)
                && chunks[before].keys.writerIndex + one.key.count <= chunkBytes
            let place = fits ? before : at
            if !fits {
                var chunk = Chunk(
                    first: one.ordinal, isNumbered: true, provenance: provenance, began: one.receivedAt,
                    keys: ByteBuffer())
                chunk.isRepaired = true
                chunks.insert(chunk, at: at)
            }
            chunks[place].keys.writeBytes(one.key)
            chunks[place].slots.append(
                Slot(
                    end: UInt32(chunks[place].keys.writerIndex),
                    sinceChunk: UInt32(one.receivedAt - chunks[place].began), database: one.database))
            bytes += one.key.count + MemoryLayout<Slot>.stride
            count += 1
            inserted += 1
        }
        return inserted
    }

    /// Gives the unnumbered entries their ordinals: entry i of the subscription is number `offset + i`.
    package mutating func number(from offset: UInt64) {
        guard let begin = chunks.firstIndex(where: { !$0.isNumbered }) else { return }
        let ahead = cutRepaired(before: begin, from: chunks[begin].first + offset)
        for index in chunks.indices where !chunks[index].isNumbered {
            chunks[index].first += offset
            chunks[index].isNumbered = true
        }
        for (heard, provenance) in ahead { _ = insert([heard], provenance: provenance) }
    }

    /// What peers told of the same stretch makes room for what the feed heard. Chunks must never overlap.
    private mutating func cutRepaired(
        before end: Int, from ordinal: UInt64
    ) -> [(HeardExpiration, Provenance)] {
        var kept: [Chunk] = []
        var cut: [(HeardExpiration, Provenance)] = []
        for chunk in chunks[..<end] {
            guard chunk.isRepaired, chunk.last >= ordinal else {
                kept.append(chunk)
                continue
            }
            var shorter = chunk
            let rest = Int(max(chunk.first, ordinal) - chunk.first)
            for index in rest..<chunk.slots.count {
                cut.append((HeardExpiration(entry(index, in: chunk)), chunk.provenance))
            }
            shorter.keep(rest)
            bytes -= chunk.bytes - shorter.bytes
            count -= chunk.slots.count - shorter.slots.count
            if !shorter.slots.isEmpty { kept.append(shorter) }
        }
        chunks.replaceSubrange(..<end, with: kept)
        return cut
    }

    /// Drops what was never numbered: the subscription broke before its first mark.
    ///
    /// - Returns: how many entries; they reappear in the gap that the next mark shows.
    package mutating func dropUnnumbered() -> Int {
        var dropped = 0
        while let tail = chunks.last, !tail.isNumbered {
            dropped += tail.slots.count
            bytes -= tail.bytes
            chunks.removeLast()
        }
        count -= dropped
        return dropped
    }

    /// Ends the doubt about entries that came after a silence.
    package mutating func decide(look: Int) {
        for index in chunks.indices where chunks[index].provenance == .doubted {
            chunks[index].provenance = .decided(look: look)
        }
    }

    /// Visits the numbered entries after `ordinal` in order, until the body returns false.
    package func forEach(after ordinal: UInt64, _ body: (Entry) -> Bool) {
        var index = firstChunk(after: ordinal)
        while index < chunks.count, chunks[index].isNumbered {
            let chunk = chunks[index]
            let skip = ordinal >= chunk.first ? Int(ordinal - chunk.first) + 1 : 0
            for slot in skip..<chunk.slots.count where !body(entry(slot, in: chunk)) { return }
            index += 1
        }
    }

    /// The entry with this ordinal, if it is kept.
    package func entry(_ ordinal: UInt64) -> Entry? {
        let index = ordinal == 0 ? chunks.count : firstChunk(after: ordinal - 1)
        guard index < chunks.count, chunks[index].isNumbered, chunks[index].first <= ordinal else { return nil }
        return entry(Int(ordinal - chunks[index].first), in: chunks[index])
    }

    /// Drops whole chunks that end at or before `ordinal`.
    package mutating func trim(through ordinal: UInt64) {
        dropFirst(chunks.prefix { $0.isNumbered && $0.last <= ordinal }.count)
    }

    /// Drops whole chunks from the front until the bounds hold; the newest chunk stays.
    ///
    /// - Parameters:
    ///   - bytes: the most to keep, in bytes.
    ///   - oldest: drop what came before, in milliseconds since 1970.
    /// - Returns: the ordinals of what was dropped, of those that have one. The others reappear in a gap once numbered.
    package mutating func trim(toBytes limit: Int, oldest: UInt64) -> [ClosedRange<UInt64>] {
        var dropped: [ClosedRange<UInt64>] = []
        while let head = chunks.first,
            (bytes > limit && chunks.count > 1) || head.began + UInt64(head.slots.last?.sinceChunk ?? 0) < oldest
        {
            if head.isNumbered { dropped.append(head.first...head.last) }
            dropFirst(1)
        }
        return dropped
    }

    private mutating func dropFirst(_ gone: Int) {
        for head in chunks.prefix(gone) {
            bytes -= head.bytes
            count -= head.slots.count
        }
        chunks.removeFirst(gone)
    }

    private func entry(_ index: Int, in chunk: Chunk) -> Entry {
        let start = index == 0 ? 0 : Int(chunk.slots[index - 1].end)
        let slot = chunk.slots[index]
        return Entry(
            ordinal: chunk.first + UInt64(index),
            key: chunk.keys.viewBytes(at: start, length: Int(slot.end) - start) ?? ByteBufferView(ByteBuffer()),
            database: slot.database, receivedAt: chunk.began + UInt64(slot.sinceChunk), provenance: chunk.provenance,
            isRepaired: chunk.isRepaired)
    }

    /// The first chunk that holds something after `ordinal`; binary search over the numbered ones.
    private func firstChunk(after ordinal: UInt64) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].isNumbered, chunks[middle].last <= ordinal { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
