/// What a node counted while its subscribers stayed connected and heard nothing: its `notify-keyspace-events` were empty. A pure value.
package struct UnannouncedOrdinals: Sendable, Equatable {
    /// In order.
    private var ranges: [ClosedRange<UInt64>] = []

    package init() {}

    package mutating func add(_ ordinals: ClosedRange<UInt64>) { ranges.append(ordinals) }

    /// The numbers behind `start` turned out to be too low by `shift`; nothing here reaches across it.
    package mutating func renumber(after start: UInt64, by shift: UInt64) {
        ranges = ranges.map { $0.lowerBound > start ? $0.lowerBound + shift...$0.upperBound + shift : $0 }
    }

    /// Forgets what the leader has passed.
    package mutating func trim(through ordinal: UInt64) { ranges.removeAll { $0.upperBound <= ordinal } }

    /// The begin of a hole, as far as all of it is of one kind.
    package func first(of hole: ClosedRange<UInt64>) -> (ordinals: ClosedRange<UInt64>, isUnannounced: Bool) {
        guard let next = ranges.first(where: { $0.overlaps(hole) }) else { return (hole, false) }
        guard next.lowerBound <= hole.lowerBound else { return (hole.lowerBound...next.lowerBound - 1, false) }
        return (hole.lowerBound...min(hole.upperBound, next.upperBound), true)
    }
}
