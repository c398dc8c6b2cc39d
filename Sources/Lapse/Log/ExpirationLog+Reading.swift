/// What a log holds, by ordinals.
extension ExpirationLog {
    /// Visits the numbered entries after `ordinal` in order, until the body returns false.
    package func forEach(after ordinal: UInt64, _ body: (Entry, _ key: RawSpan) -> Bool) {
        var index = firstChunk(after: ordinal)
        while index < chunks.count, chunks[index].isNumbered {
            let first = chunks[index].first
            guard chunks[index].visit(from: ordinal >= first ? Int(ordinal - first) + 1 : 0, body) else { return }
            index += 1
        }
    }

    /// The first ordinal kept after this one.
    package func next(after ordinal: UInt64) -> UInt64? {
        let index = firstChunk(after: ordinal)
        guard index < chunks.count, chunks[index].isNumbered else { return nil }
        return max(chunks[index].first, ordinal + 1)
    }

    /// A copy of the numbered entries from this one on, as far as they lie together: at most this many, and
    /// about this many bytes.
    ///
    /// - Parameter ordinal: of one that is kept.
    func copy(from ordinal: UInt64, upTo count: Int, bytes: Int) -> LogChunk {
        let index = firstChunk(after: ordinal - 1)
        return chunks[index].copy(from: Int(ordinal - chunks[index].first), upTo: count, bytes: bytes)
    }

    /// The entry with this ordinal, if it is kept.
    package func entry(_ ordinal: UInt64) -> Entry? {
        let index = ordinal == 0 ? chunks.count : firstChunk(after: ordinal - 1)
        guard index < chunks.count, chunks[index].isNumbered, chunks[index].first <= ordinal else { return nil }
        return chunks[index].entry(Int(ordinal - chunks[index].first))
    }
}
