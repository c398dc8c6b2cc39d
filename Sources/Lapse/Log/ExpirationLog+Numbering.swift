/// What peers heard is put in between, and what was heard before the first mark gets its numbers.
extension ExpirationLog {
    /// Puts in what a peer heard, where it belongs; what it has already is passed over.
    ///
    /// - Parameter heard: sorted by ordinal.
    /// - Returns: how many were new.
    package mutating func insert(_ heard: [HeardExpiration], provenance: Provenance) -> Int {
        var inserted = 0
        for one in heard where entry(one.ordinal) == nil {
            let origin = LogChunk.Origin(
                database: one.database, number: one.ordinal, isNumbered: true, now: one.receivedAt,
                provenance: provenance, isRepaired: true)
            // Unsafe in name only: a byte has no padding.
            put(unsafe one.key.span.bytes, origin)
            inserted += 1
        }
        return inserted
    }

    /// Gives unnumbered entries their ordinals. Between two parts a mark was heard: see ``seal()``.
    mutating func number(_ parts: [Numbering.Settlement.Part]) {
        guard let first = parts.first, let begin = chunks.firstIndex(where: { !$0.isNumbered }) else { return }
        let ahead = cutRepaired(before: begin, from: chunks[begin].first + first.offset)
        var rest = parts[...]
        for index in chunks.indices where !chunks[index].isNumbered {
            while let part = rest.first, chunks[index].first > part.through { rest.removeFirst() }
            guard let part = rest.first else { break }
            chunks[index].first += part.offset
            chunks[index].isNumbered = true
        }
        for (heard, provenance) in ahead { _ = insert([heard], provenance: provenance) }
    }

    /// Gives all unnumbered entries their ordinals: entry i of the subscription is number `offset + i`.
    package mutating func number(from offset: UInt64) { number([.init(through: .max, offset: offset)]) }

    /// What follows may get other numbers than what is here.
    mutating func seal() { if !chunks.isEmpty { chunks[chunks.endIndex - 1].seal() } }

    /// Moves what the feed heard behind `ordinal` up; what peers told stays.
    package mutating func renumber(after ordinal: UInt64, by shift: UInt64) {
        let at = firstChunk(after: ordinal)
        var told: [(HeardExpiration, Provenance)] = []
        var kept: [LogChunk] = []
        for var chunk in chunks[at...] {
            if chunk.isRepaired {
                _ = chunk.visit(from: 0) { entry, key in
                    told.append((HeardExpiration(entry, key), chunk.provenance))
                    return true
                }
                forget(chunk)
            } else {
                chunk.first += shift
                kept.append(chunk)
            }
        }
        chunks.replaceSubrange(at..., with: kept)
        countLarge()
        for (heard, provenance) in told { _ = insert([heard], provenance: provenance) }
    }

    /// What peers told of the same stretch makes room for what the feed heard. Chunks must never overlap.
    private mutating func cutRepaired(
        before end: Int, from ordinal: UInt64
    ) -> [(HeardExpiration, Provenance)] {
        var kept: [LogChunk] = []
        var cut: [(HeardExpiration, Provenance)] = []
        for chunk in chunks[..<end] {
            guard chunk.isRepaired, chunk.last >= ordinal else {
                kept.append(chunk)
                continue
            }
            var shorter = chunk
            let rest = Int(max(chunk.first, ordinal) - chunk.first)
            _ = chunk.visit(from: rest) { entry, key in
                cut.append((HeardExpiration(entry, key), chunk.provenance))
                return true
            }
            shorter.keep(rest)
            forget(chunk)
            guard shorter.count > 0 else { continue }
            bytes += shorter.bytes
            reserved += shorter.reserved
            count += shorter.count
            kept.append(shorter)
        }
        chunks.replaceSubrange(..<end, with: kept)
        countLarge()
        return cut
    }
}
