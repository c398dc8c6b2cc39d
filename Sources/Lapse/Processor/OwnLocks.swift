import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// Finds out which of Lapse's own locks ran out while no replica listened.
///
/// A term leaves its claim beside each lock that it holds; the release takes that away, also where a
/// parent gives the lock back for a worker that died. A successor that finds one knows that this lock
/// ran out.
final class OwnLocks: Sendable {
    /// A take-over must not wait long for a master that is away.
    private static let patience = Duration.milliseconds(100)
    private let registers: [ElectionKeys]
    private let client: KeyedClient
    private let logs: LogSet
    private let lapsed = Mutex(LapsedLocks())

    /// - Parameter registers: empty when the locks are elsewhere.
    init(_ registers: [ElectionKeys], client: KeyedClient, logs: LogSet) {
        self.registers = registers
        self.client = client
        self.logs = logs
    }

    /// The keys of the locks that ran out before this term, which notes that it holds them now.
    func lapsed(_ claim: Claim) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            for keys in registers {
                // All registers at once; the group awaits them.
                group.addTask { [client] in
                    let reply = try? await client.run(
                        Self.begin, keys: [keys.progress, keys.lock], arguments: [Array(claim.value.utf8)],
                        timeout: Self.patience)
                    return reply?.string?.isEmpty == false ? keys.lock : nil
                }
            }
            return await group.reduce(into: []) { all, one in if let one { all.append(one) } }
        }
    }

    /// - Parameters:
    ///   - keys: of the locks that ran out before.
    ///   - progress: where the last leader stood. Its lock ran out later: what was heard of it before is an
    ///     earlier one's end.
    func termBegins(_ keys: [String], _ progress: [String: Progress]) {
        lapsed.withLock { $0 = LapsedLocks(keys, logs.all) }
        // After that, so that none is heard between; and not with the lock held, which feeds take.
        for key in keys {
            guard let node = client.node(for: key) else { continue }
            let wasHeard = LapsedLocks.wasHeard(key, in: logs.logs(at: node)) { progress[$0]?.cursor.through ?? 0 }
            if wasHeard { heard(key) }
        }
    }

    /// A lock's expiration was announced, and a feed heard it.
    func heard(_ key: String) { lapsed.withLock { $0.heard(key) } }

    /// Where else an own lock may have ended: to be asked about before this hole is filled with it.
    func besides(_ hole: Repairer.Hole, _ end: RepairInquiry.End, after last: UInt64) -> [Repairer.Hole] {
        guard let log = logs[hole.runID] else { return [] }
        return lapsed.withLock { lapsed in
            lapsed.besides(hole, end, of: log, after: last) { client.node(for: $0) == log.address }
        }
    }

    /// Puts the expirations of own locks into a hole that the peers could not fill.
    func fill(_ hole: Repairer.Hole, _ end: RepairInquiry.End, after last: UInt64, look: Int, now: UInt64) {
        guard let log = logs[hole.runID] else { return }
        lapsed.withLock { lapsed in
            _ = lapsed.fill(hole, end, of: log, after: last, look: look, now: now) {
                client.node(for: $0) == log.address
            }
        }
    }

    /// Whether a hole was nothing but an own lock.
    func explains(_ gap: Gap) -> Bool { lapsed.withLock { $0.explains(gap) } }

    /// KEYS: progress, lock. ARGV: claim. Answers the claim of a term that never gave this lock back, once
    /// it has run out.
    private static let begin = Script(
        """
        local before = redis.call('HGET', KEYS[1], 'led') or ''
        local holder = redis.call('GET', KEYS[2])
        if holder == ARGV[1] then
          redis.call('HSET', KEYS[1], 'led', ARGV[1])
        elseif holder then
          return ''
        end
        return before ~= ARGV[1] and before or ''
        """)
}
