import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization
import Timing

/// Finds out which of Lapse's own locks ran out while no replica listened.
///
/// A term leaves its claim beside each lock that it holds; the release takes that away, also where a
/// parent gives the lock back for a worker that died. A successor that finds one knows that this lock
/// ran out. A term that goes on knows it of a register that holds its claim no more, a lease or longer
/// after it granted it.
final class OwnLocks: Sendable {
    /// A take-over must not wait long for a master that is away.
    private static let patience = Duration.milliseconds(100)
    private let registers: [ElectionKeys]
    private let client: KeyedClient
    private let logs: LogSet
    private let lapsed = Mutex(LapsedLocks())
    private let held = Mutex(HeldLocks())

    /// - Parameter store: nil when the locks are elsewhere.
    init(_ store: RedisLeaseStore?, client: KeyedClient, logs: LogSet) {
        registers = store?.keys ?? []
        self.client = client
        self.logs = logs
        store?.listen(self)
    }

    /// The keys of the locks that ran out before this term, which notes that it holds them now.
    func lapsed(_ claim: Claim) async -> [String] {
        held.withLock { $0.begins(claim.value) }
        return await withTaskGroup(of: String?.self) { group in
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
    func heard(_ key: String) {
        let now = SystemClock.read().monotonic
        held.withLock { $0.heard(key, isOwn: registers.contains { $0.lock == key }, now: now) }
        lapsed.withLock { $0.heard(key) }
    }

    /// Makes sure of the locks that seem to have run out on the process of a hole while this term went on.
    func look(at hole: Repairer.Hole) async {
        guard let log = logs[hole.runID] else { return }
        let suspects = held.withLock { $0.suspects(now: SystemClock.read().monotonic) }
        for key in suspects where client.node(for: key) == log.address {
            // One that does not answer in time explains nothing: its end counts as a loss, as without this look.
            let reply = try? await client.run(Self.holder, keys: [key], arguments: [], timeout: Self.patience)
            guard let words = reply?.array, words.count == 2, let holder = words[0].string,
                words[1].string == hole.runID
            else { continue }
            let through = LapsedLocks.known(logs.logs(at: log.address))
            let lapse = held.withLock { held in
                let now = SystemClock.read().monotonic
                return held.looked(key, holder: holder, runID: hole.runID, through: through, now: now)
            }
            if let lapse { lapsed.withLock { $0.ranOut(key, after: lapse.grant.announced, through: lapse.through) } }
        }
    }

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

    /// KEYS: lock. Answers the value that it holds, and the process.
    private static let holder = Script(
        """
        return {redis.call('GET', KEYS[1]) or '',
          string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''}
        """)

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

extension OwnLocks: VoteListener {
    func asks(_ claim: Claim, lock: String) -> @Sendable (_ isHeld: Bool) -> Void {
        let announced = logs(of: lock).map(LapsedLocks.announced) ?? [:]
        let now = SystemClock.read().monotonic
        return { [self] isHeld in
            guard !isHeld else {
                let grant = HeldLocks.Grant(value: claim.value, ttl: claim.ttl, askedAt: now, announced: announced)
                return held.withLock { $0.granted(lock, grant) }
            }
            let through = logs(of: lock).map(LapsedLocks.known) ?? [:]
            held.withLock { $0.gone(lock, claim.value, through: through, now: SystemClock.read().monotonic) }
        }
    }

    private func logs(of lock: String) -> [NodeLog]? { client.node(for: lock).map(logs.logs(at:)) }

    func givesBack(_ claim: Claim, lock: String) { held.withLock { $0.givesBack(lock, claim.value) } }
}
