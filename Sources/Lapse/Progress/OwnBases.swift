/// What this replica itself finds to be missing from processes' counters, and whether a majority of the
/// registers has taken it. A pure value.
package struct OwnBases: Sendable {
    private struct Word: Sendable {
        var base: UInt64
        var isTold = false
    }

    private var words: [String: Word] = [:]

    package init() {}

    /// A mark has shown this base; one that is smaller than before says nothing.
    ///
    /// - Returns: what is to be told now; nil where a majority has taken it.
    package mutating func found(_ base: UInt64, of runID: String) -> UInt64? {
        if base > words[runID]?.base ?? 0 { words[runID] = Word(base: base) }
        return words[runID].flatMap { $0.isTold ? nil : $0.base }
    }

    /// Those that no majority has taken yet, by run ID.
    package var untold: [String: UInt64] { words.compactMapValues { $0.isTold ? nil : $0.base } }

    /// A majority has taken this one. It may have grown meanwhile.
    package mutating func taken(_ base: UInt64, of runID: String) {
        if words[runID]?.base == base { words[runID]?.isTold = true }
    }

    /// The process is gone.
    package mutating func forget(_ runID: String) { words[runID] = nil }
}
