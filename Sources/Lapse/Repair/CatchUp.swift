/// Which stretches a replica asks its peers for, so that its logs are whole and it can take over at any
/// time: I12, see ``RepairPeer``. A pure value.
///
/// A newcomer's stretch before its first mark, and the hole of a broken feed, are asked for until every
/// peer has no more. What no replica had is not asked again before another replica comes.
package struct CatchUp {
    private struct State {
        /// No replica has these.
        var hopeless: [ClosedRange<UInt64>] = []
        var isAsking = false
        /// Rounds to pass before it is asked again, since a peer kept silent.
        var wait = 0
        var pause = 1
    }

    private var states: [String: State] = [:]
    private var peers: Set<String> = []
    /// Logs that are asked about at once.
    private static let limit = 8
    private static let longestPause = 16

    package init() {}

    /// The holes to be asked for now, one of each log. Called each second.
    ///
    /// - Parameters:
    ///   - progress: as last read; what no leader has written about is left to the leader.
    ///   - peers: the other replicas.
    package mutating func next(_ logs: LogSet, _ progress: [String: Progress], peers: Set<String>) -> [Repairer.Hole] {
        defer { self.peers = peers }
        if !peers.isSubset(of: self.peers) {
            for runID in states.keys {
                states[runID]?.hopeless = []
                states[runID]?.wait = 0
            }
        }
        let all = logs.all
        let known = Set(all.map(\.runID))
        for runID in states.keys where !known.contains(runID) { states[runID] = nil }
        guard !peers.isEmpty else { return [] }
        var holes: [Repairer.Hole] = []
        var asking = states.values.count { $0.isAsking }
        for log in all where asking < Self.limit {
            var state = states[log.runID, default: State()]
            guard !state.isAsking else { continue }
            if state.wait > 0 {
                state.wait -= 1
            } else if let hole = hole(in: log, progress, state) {
                state.isAsking = true
                asking += 1
                holes.append(Repairer.Hole(runID: log.runID, node: log.node, ordinals: hole))
            }
            states[log.runID] = state
        }
        return holes
    }

    /// A question is over: what is missing now and was asked for, no replica has.
    package mutating func settle(_ hole: Repairer.Hole, _ end: RepairInquiry.End, _ logs: LogSet) {
        guard var state = states[hole.runID] else { return }
        state.isAsking = false
        if end == .unanswered {
            state.wait = state.pause
            state.pause = min(state.pause * 2, Self.longestPause)
        } else {
            state.pause = 1
            let part = hole.settled(by: end)
            state.hopeless += logs[hole.runID]?.gaps(in: part, upTo: 256) ?? []
            if state.hopeless.count > 1024 { state.hopeless.removeFirst(state.hopeless.count - 1024) }
        }
        states[hole.runID] = state
    }

    /// Whether nothing is missing in the logs that a peer may have.
    package func isWhole(_ logs: LogSet, _ progress: [String: Progress]) -> Bool {
        logs.all.allSatisfy { log in
            let state = states[log.runID, default: State()]
            return !state.isAsking && !log.isProvisional && hole(in: log, progress, state) == nil
        }
    }

    private func hole(in log: NodeLog, _ progress: [String: Progress], _ state: State) -> ClosedRange<UInt64>? {
        guard let written = progress[log.runID], let last = log.counts.last, !log.isProvisional,
            written.cursor.settled < last
        else { return nil }
        let unannounced = log.unannounced
        var low = written.cursor.settled + 1
        while low <= last {
            // Each lookup holds the log's lock only for so many.
            let gaps = log.gaps(in: low...last, upTo: Self.lookup)
            for gap in gaps {
                if let part = Self.part(of: gap, without: unannounced, state.hopeless) { return part }
            }
            guard gaps.count == Self.lookup, let end = gaps.last?.upperBound else { return nil }
            low = end + 1
        }
        return nil
    }

    private static let lookup = 64

    /// The first part of a gap that was announced, and that no peer was asked for in vain.
    private static func part(
        of gap: ClosedRange<UInt64>, without unannounced: UnannouncedOrdinals, _ hopeless: [ClosedRange<UInt64>]
    ) -> ClosedRange<UInt64>? {
        var low = gap.lowerBound
        while low <= gap.upperBound {
            let part = unannounced.first(of: low...gap.upperBound)
            if part.reason == nil, let rest = subtract(hopeless, from: part.ordinals) { return rest }
            low = part.ordinals.upperBound + 1
        }
        return nil
    }

    /// The first part of a stretch that is in none of these.
    private static func subtract(_ ranges: [ClosedRange<UInt64>], from stretch: ClosedRange<UInt64>) -> ClosedRange<
        UInt64
    >? {
        var low = stretch.lowerBound
        while let covering = ranges.first(where: { $0.contains(low) }) {
            guard covering.upperBound < stretch.upperBound else { return nil }
            low = covering.upperBound + 1
        }
        let next = ranges.lazy.map(\.lowerBound).filter { $0 > low }.min() ?? .max
        return low...min(stretch.upperBound, next - 1)
    }
}
