/// Which cursors are to be written: those that moved since they were last written, and those that the
/// registers have lost since. Of one term.
package struct UnwrittenProgress {
    private var written: [String: Progress] = [:]

    package init() {}

    package func moved(_ progress: [Progress]) -> [Progress] {
        progress.filter { written[$0.runID]?.saysTheSame(as: $0) != true }
    }

    package mutating func wrote(_ progress: [Progress]) {
        for entry in progress { written[entry.runID] = entry }
    }

    /// The registers have no word on these: they are to be written again, moved or not. So what they go on
    /// lacking was removed (``RemovedProgress``).
    package mutating func lost(_ runIDs: Set<String>) {
        for runID in runIDs { written[runID] = nil }
    }
}
