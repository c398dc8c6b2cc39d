/// Compares a node's counter with what was heard, without a mark, which would travel to every node of a
/// cluster.
///
/// All that the counter showed a second ago must have been heard by now, and nothing that it does not
/// show now; else a mark tells what was missed, forged or reset. A loss smaller than a second's traffic
/// shows as a counter that is ahead at every look.
struct CounterCheck: Sendable {
    private var owed: Int64?
    /// Looks in a row at which the counter was ahead of what had been heard when its answer had come.
    private var looksBehind = 0
    /// A feed that is always behind, since its thread is busy, must not ask for marks all the time.
    private var patience = Self.leastPatience
    private static let leastPatience = 3
    private static let mostPatience = 96

    /// - Parameters:
    ///   - announced: the node's counter, with the numbering's base.
    ///   - before: the last ordinal heard before the counter was asked for.
    ///   - now: the last ordinal heard when its answer had come.
    /// - Returns: whether a mark is due.
    mutating func look(announced: Int64, before: UInt64, now: UInt64) -> Bool {
        defer { owed = announced }
        guard Int64(now) < announced else {
            looksBehind = 0
            patience = Self.leastPatience
            return announced < Int64(before) || owed.map { Int64(now) < $0 } ?? false
        }
        looksBehind += 1
        if let owed, Int64(now) < owed { return true }
        guard looksBehind >= patience else { return false }
        looksBehind = 0
        patience = min(patience * 2, Self.mostPatience)
        return true
    }

    /// A mark has settled what was open.
    mutating func settled() { owed = nil }
}
