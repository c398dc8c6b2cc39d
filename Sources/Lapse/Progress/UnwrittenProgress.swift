/// Which cursors are to be written: those that moved since they were last written. Of one term.
package struct UnwrittenProgress {
    private var written: [String: Progress] = [:]

    package init() {}

    package func moved(_ progress: [Progress]) -> [Progress] {
        progress.filter { written[$0.runID]?.saysTheSame(as: $0) != true }
    }

    package mutating func wrote(_ progress: [Progress]) {
        for entry in progress { written[entry.runID] = entry }
    }
}
