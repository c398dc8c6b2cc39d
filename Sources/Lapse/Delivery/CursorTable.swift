/// The cursors of a term, and what became of everything that they passed. A pure value.
///
/// A log keeps its index as long as the term lasts, so that what is on its way finds its cursor without
/// a search.
struct CursorTable {
    private var cursors: [Cursor] = []
    private var tallies: [Tally] = []
    private var indices: [String: Int] = [:]

    var all: [String: Cursor] { indices.mapValues { cursors[$0] } }

    /// Nil before the log was opened.
    func index(of runID: String) -> Int? { indices[runID] }

    /// The last ordinal taken up.
    func through(_ index: Int) -> UInt64 { cursors[index].through }

    /// How far the last ordinal taken up is from the oldest that is not finished.
    func spread(_ index: Int) -> UInt64 {
        let through = cursors[index].through
        return through - min(cursors[index].settled, through)
    }

    subscript(runID: String) -> Cursor? { indices[runID].map { cursors[$0] } }

    /// What became of a log's expirations in this term; nil before it was opened.
    ///
    /// - Parameter last: the last ordinal announced.
    func account(_ runID: String, last: UInt64) -> NodeAccount? {
        indices[runID].map { tallies[$0].account(cursors[$0], last: last) }
    }

    /// Begins a log, or goes on where its cursor stands.
    mutating func open(_ runID: String, at cursor: Cursor) {
        guard indices[runID] == nil else { return }
        indices[runID] = cursors.count
        cursors.append(cursor)
        tallies.append(Tally(cursor))
    }

    /// One from before the place at which the log was opened is to be handled after all.
    mutating func include(_ runID: String, _ ordinal: UInt64) {
        guard let index = indices[runID], ordinal <= cursors[index].through else { return }
        cursors[index].include(ordinal)
        tallies[index].include(1)
    }

    /// These have been taken up and are pending.
    mutating func take(_ ordinals: ClosedRange<UInt64>, at index: Int) { cursors[index].take(ordinals) }

    /// Passes over ordinals that need no handling.
    mutating func skip(_ runID: String, through ordinal: UInt64, as outcome: Tally.Outcome) {
        guard let index = indices[runID], cursors[index].through < ordinal else { return }
        tallies[index].count(outcome, ordinal - cursors[index].through)
        cursors[index].skip(through: ordinal)
    }

    /// A pending ordinal will not be handled any more: it has been, or it is lost.
    mutating func finish(_ runID: String, _ ordinal: UInt64, as outcome: Tally.Outcome) {
        if let index = indices[runID] { finish(ordinal, at: index, as: outcome) }
    }

    mutating func finish(_ ordinal: UInt64, at index: Int, as outcome: Tally.Outcome) {
        cursors[index].finish(ordinal)
        tallies[index].count(outcome)
    }

    /// These have been handled.
    mutating func finish(_ ordinals: ClosedRange<UInt64>, at index: Int) {
        cursors[index].finish(ordinals)
        tallies[index].count(.handled, UInt64(ordinals.count))
    }
}
