/// What a log lacks.
extension ExpirationLog {
    /// The stretches of these ordinals of which nothing is kept: in order, at most this many.
    package func gaps(in ordinals: ClosedRange<UInt64>, upTo limit: Int) -> [ClosedRange<UInt64>] {
        var gaps: [ClosedRange<UInt64>] = []
        var expected = ordinals.lowerBound
        var index = firstChunk(after: ordinals.lowerBound - 1)
        while index < chunks.count, chunks[index].isNumbered, chunks[index].first <= ordinals.upperBound {
            if chunks[index].first > expected { gaps.append(expected...chunks[index].first - 1) }
            if gaps.count == limit { return gaps }
            expected = max(expected, chunks[index].last + 1)
            index += 1
        }
        if expected <= ordinals.upperBound { gaps.append(expected...ordinals.upperBound) }
        return gaps
    }
}
