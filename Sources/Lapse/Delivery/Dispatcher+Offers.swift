import Synchronization

/// What Redis never announced: it has no place in a log, and is handled between what has one.
extension Dispatcher {
    /// Takes up expirations that were found otherwise than by an announcement; returns those for which it is too early.
    ///
    /// While anything heard is still to be taken up, an announcement of the same key may be among it: then nothing is taken. A
    /// key of which an expiration is on its way must wait as well.
    package func offer(_ offered: [Work]) -> [Work] {
        let (refused, news) = state.withLock { state -> ([Work], News) in
            guard state.phase == .running else { return (offered, News()) }
            let heard = logs.all.compactMap { log in
                log.baseline == nil ? nil : log.counts.last.map { (log.runID, $0) }
            }
            fill(&state)
            defer { state.news = News() }
            guard hasRead(heard, state) else { return (offered, state.news) }
            let refused = offered.filter { work in
                guard state.machine.pendingCount < pendingLimit, !state.machine.isUnderWay(work.line) else {
                    return true
                }
                state.machine.admit(work)
                return false
            }
            return (refused, state.news)
        }
        tell(news)
        if refused.count < offered.count { wake(offered.count - refused.count) }
        return refused
    }

    private func hasRead(_ heard: [(runID: String, last: UInt64)], _ state: State) -> Bool {
        state.repairing.isEmpty
            && heard.allSatisfy { runID, last in state.machine.cursors[runID].map { $0.through >= last } ?? false }
    }
}
