/// How far one log is finished: everything through an ordinal, except a short list of pending ones.
package struct Cursor: Sendable, Equatable {
    /// The last ordinal taken up.
    package private(set) var through: UInt64
    /// Taken up and not finished.
    package private(set) var pending: PendingOrdinals

    package init(through: UInt64, pending: PendingOrdinals = []) {
        self.through = through
        self.pending = pending
    }

    /// Takes up the next ordinals to be handled.
    mutating func take(_ ordinals: ClosedRange<UInt64>) {
        through = max(through, ordinals.upperBound)
        pending.insert(ordinals)
    }

    /// Takes up one that lies before what was taken up.
    mutating func include(_ ordinal: UInt64) { pending.insert(ordinal...ordinal) }

    /// Passes over everything through an ordinal that needs no handling: not wanted, or lost.
    package mutating func skip(through ordinal: UInt64) { through = max(through, ordinal) }

    package mutating func finish(_ ordinal: UInt64) { pending.remove(ordinal) }

    mutating func finish(_ ordinals: ClosedRange<UInt64>) { pending.remove(ordinals) }

    /// Everything through this ordinal is finished: a log needs to keep only what comes after.
    /// Whether it has come to an end, also behind one that has not.
    package func hasFinished(_ ordinal: UInt64) -> Bool {
        ordinal <= settled || ordinal <= through && !pending.sorted.contains(ordinal)
    }

    package var settled: UInt64 { pending.min.map { $0 - 1 } ?? through }
}
