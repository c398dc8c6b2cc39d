/// How far the leader is, and what became of everything before that: for the registers, the status and
/// the metrics.
extension DeliveryMachine {
    /// One log's account.
    package struct LogAccount: Sendable {
        package var runID: String
        package var node: String
        package var account: NodeAccount
    }

    /// The cursors as they stand, for the registers.
    package mutating func progress() -> [Progress] {
        guard phase != .idle else { return [] }
        writes += 1
        return logs.all.compactMap { log in
            cursors[log.runID].map {
                Progress(
                    runID: log.runID, node: "\(log.address)", base: log.base, cursor: $0, token: token, write: writes,
                    account: account(log))
            }
        }
    }

    /// Whether every log that may hold something owed has been opened, and none waits for its peers.
    package var isWhole: Bool {
        guard phase == .running, repairing.isEmpty, actions.holes.isEmpty else { return false }
        return logs.all.allSatisfy { log in
            cursors.index(of: log.runID) != nil
                || !log.isSubscribed && log.counts.entries == 0 && progressAtBegin[log.runID] == nil
        }
    }

    /// The account of every log; empty while not leading.
    package func accounts() -> [LogAccount] {
        guard phase != .idle else { return [] }
        return logs.all.compactMap { log in
            account(log).map { LogAccount(runID: log.runID, node: log.node, account: $0) }
        }
    }

    /// A log that waits to be opened has an account as well.
    private func account(_ log: NodeLog) -> NodeAccount? {
        let last = log.counts.last
        if let account = cursors.account(log.runID, last: last ?? 0) { return account }
        return cursorOrBegin(log).map { Tally($0).account($0, last: last ?? 0) }
    }

    /// Where the cursor stands, or where it will begin in a log that waits to be opened: everything from
    /// there on is to come.
    private func cursorOrBegin(_ log: NodeLog) -> Cursor? {
        cursors[log.runID] ?? progressAtBegin[log.runID]?.cursor ?? log.baseline.map { Cursor(through: $0) }
    }

    /// Expirations waiting or under way, by log; only the leader knows.
    package func backlog() -> [String: UInt64] {
        guard phase != .idle else { return [:] }
        return Dictionary(
            logs.all.compactMap { log in
                guard let cursor = cursorOrBegin(log) else { return nil }
                let last = max(log.counts.last ?? 0, cursor.through)
                return (log.runID, last - cursor.through + UInt64(cursor.pending.count))
            }, uniquingKeysWith: { first, _ in first })
    }

    /// When the oldest expiration of each log that is not finished was heard, in milliseconds since 1970;
    /// only the leader knows.
    package func oldest() -> [String: UInt64] {
        guard phase != .idle else { return [:] }
        return Dictionary(
            logs.all.compactMap { log in
                cursorOrBegin(log).flatMap { log.received(after: $0.settled) }.map { (log.runID, $0) }
            }, uniquingKeysWith: min)
    }

    package func cursor(_ runID: String) -> Cursor? { cursors[runID] }
}
