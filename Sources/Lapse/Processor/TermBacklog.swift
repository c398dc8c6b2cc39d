import Timing

/// What stood in the logs when a term had made them whole.
package struct TermBacklog: Sendable {
    /// A term that lives so long did not die over it, even where something of it is still tried again.
    package static let patience = Duration.seconds(120)

    private let last: [String: UInt64]

    /// - Parameter logs: run IDs, and the last ordinal of each.
    package init(_ logs: [(String, UInt64?)]) {
        last = Dictionary(logs.compactMap { runID, last in last.map { (runID, $0) } }) { max($0, $1) }
    }

    /// Whether all of it has come to an end.
    package func isFinished(_ progress: [Progress]) -> Bool {
        let settled = Dictionary(progress.map { ($0.runID, $0.cursor.settled) }) { max($0, $1) }
        return last.allSatisfy { runID, ordinal in (settled[runID] ?? 0) >= ordinal }
    }
}
