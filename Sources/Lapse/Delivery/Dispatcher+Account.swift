import Synchronization

/// How far the leader is, and what became of everything before that: for the registers, the status and the metrics.
extension Dispatcher {
    /// One log's account.
    package struct LogAccount: Sendable {
        package var runID: String
        package var node: String
        package var account: NodeAccount
    }

    /// The cursors as they stand, for the registers.
    package func progress() -> [Progress] {
        state.withLock { state in
            guard state.phase != .idle else { return [] }
            state.writes += 1
            return logs.all.compactMap { log in
                state.machine.cursor(log.runID).map {
                    Progress(
                        runID: log.runID, node: "\(log.address)", base: log.base, cursor: $0, token: state.token,
                        write: state.writes, account: account(log, state))
                }
            }
        }
    }

    /// The account of every log, all in one step, so that it adds up at every instant; empty while not leading.
    package func accounts() -> [LogAccount] {
        state.withLock { state in
            guard state.phase != .idle else { return [] }
            return logs.all.compactMap { log in
                account(log, state).map { LogAccount(runID: log.runID, node: log.node, account: $0) }
            }
        }
    }

    /// A log that waits to be opened has an account as well: everything from where its cursor will begin is to come.
    private func account(_ log: NodeLog, _ state: borrowing State) -> NodeAccount? {
        let last = log.counts.last
        if let account = state.machine.account(log.runID, last: last ?? 0) { return account }
        let cursor = state.progress[log.runID]?.cursor ?? log.baseline.map { Cursor(through: $0) }
        return cursor.map { Tally($0).account($0, last: last ?? 0) }
    }

    /// Expirations waiting or under way, by log; only the leader knows.
    package func backlog() -> [String: UInt64] {
        state.withLock { state in
            Dictionary(
                logs.all.compactMap { log in
                    guard let cursor = state.machine.cursor(log.runID) else { return nil }
                    let last = max(log.counts.last ?? 0, cursor.through)
                    return (log.runID, last - cursor.through + UInt64(cursor.pending.count))
                }, uniquingKeysWith: { first, _ in first })
        }
    }
}
