/// Compares what a node says it has expired with what was heard, without a mark: marks travel to every node of a cluster.
///
/// What the counter showed a second ago must have been heard by now, and nothing can have been heard that the counter
/// does not show. When either fails, something was missed, forged, or the counter was reset: a mark tells exactly.
struct CounterCheck: Sendable {
    private var owed: Int64?

    /// - Parameters:
    ///   - announced: the node's counter, with the numbering's base.
    ///   - before: the last ordinal heard before the counter was asked for.
    ///   - now: the last ordinal heard when its answer had come.
    /// - Returns: whether a mark is due.
    mutating func look(announced: Int64, before: UInt64, now: UInt64) -> Bool {
        defer { owed = announced }
        if let owed, Int64(now) < owed { return true }
        return announced < Int64(before)
    }

    /// A mark has settled what was open.
    mutating func settled() { owed = nil }
}
