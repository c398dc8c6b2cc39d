/// What the registers' answers about progress amount to, counted from all registers, never from those
/// that answered.
package enum ProgressVote {
    /// - Parameter accepted: one for each register: whether it took the write; nil when it did not answer.
    package static func outcome(_ accepted: [Bool?]) -> ProgressKeeper.Outcome {
        if accepted.count(where: { $0 == true }) > accepted.count / 2 { return .written }
        return accepted.contains(false) ? .fenced : .failed
    }

    /// - Parameters:
    ///   - tables: the answers that came.
    ///   - registers: how many were asked.
    /// - Returns: the newest word on each log; nil when fewer than a majority answered.
    package static func newest(_ tables: [[String: Progress]], of registers: Int) -> [String: Progress]? {
        tables.count > registers / 2 ? Progress.newest(tables) : nil
    }
}
