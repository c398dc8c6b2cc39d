import LeaderElection

/// Why no other replica needs one that leaves any more.
package enum LeaveReason: String, Sendable {
    case nothingLeft = "nothing is left unfinished"
    case alone = "no other replica lives"
    case successorIsWhole = "the successor's logs are whole"
    /// They end one after the other, the smallest id first: the ones behind it keep what they heard for a
    /// replica that comes back.
    case allLeave = "every other replica leaves too"

    /// Nil while it is needed.
    ///
    /// - Parameters:
    ///   - token: of its own last term; 0 if it never led.
    ///   - peers: the replicas that are alive, itself included.
    ///   - leaving: those of them that have said that they leave.
    package init?(
        id: String, token: UInt64, logs: LogSet, progress: [String: Progress], peers: Set<String>,
        leaving: Set<String>, wholeness: Wholeness?
    ) {
        let others = peers.subtracting([id])
        if others.isEmpty {
            self = .alone
        } else if let wholeness, wholeness.isWhole, wholeness.token > token {
            self = .successorIsWhole
        } else if others.isSubset(of: leaving), others.allSatisfy({ id < $0 }) {
            self = .allLeave
        } else if logs.all.contains(where: { $0.holdsAny(unfinishedBy: progress[$0.runID]) }) {
            return nil
        } else {
            self = .nothingLeft
        }
    }
}
