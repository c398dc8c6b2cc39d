import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// Lapse's own locks that ran out while no replica listened: the node has counted such an expiration, and it is no one's loss.
///
/// A term leaves its token beside each lock and takes it away before the lock is given back. A successor that finds one knows that
/// this lock ran out. Had a replica heard that, it would be in the log by the time a hole is settled; if not, one ordinal of the hole
/// is the lock's.
final class OwnLocks: Sendable {
    private struct State {
        /// Keys of locks that ran out before this term, and have not been found.
        var unheard: Set<String> = []
        /// What was put into a log for one of them.
        var found: [String: UInt64] = [:]
    }

    /// A take-over must not wait long for a master that is away.
    private static let patience = Duration.milliseconds(100)
    private let registers: [ElectionKeys]
    private let client: KeyedClient
    private let logs: LogSet
    private let state = Mutex(State())

    /// - Parameter registers: empty when the locks are elsewhere.
    init(_ registers: [ElectionKeys], client: KeyedClient, logs: LogSet) {
        self.registers = registers
        self.client = client
        self.logs = logs
    }

    func termBegins(_ token: FencingToken) async {
        let lapsed = await run(Self.begin, token).compactMap { keys, reply in
            reply.string?.isEmpty == false ? keys.lock : nil
        }
        state.withLock { $0 = State(unheard: Set(lapsed)) }
        // Heard before this term began: it is in the log, and stands for no ordinal of a later hole.
        for key in lapsed {
            guard let node = client.node(for: key) else { continue }
            let bytes = Array(key.utf8)
            if logs.logs(at: node).contains(where: { $0.holds(bytes, from: 0) }) { heard(key) }
        }
    }

    /// A lock's expiration was announced, and a feed heard it.
    func heard(_ key: String) { state.withLock { _ = $0.unheard.remove(key) } }

    /// The lock is about to be given back.
    func termEnds(_ token: FencingToken) async { _ = await run(Self.end, token) }

    /// Puts the expiration of an own lock into a hole that the peers could not fill.
    func fill(_ hole: Repairer.Hole, look: Int, now: UInt64) {
        guard hole.survey == nil, !hole.isUnannounced, let log = logs[hole.runID] else { return }
        let candidates = state.withLock { $0.unheard }.filter { client.node(for: $0) == log.address }
        for key in candidates.sorted() where !log.holds(Array(key.utf8), from: hole.ordinals.lowerBound) {
            guard let ordinal = put(Array(key.utf8), into: log, hole.ordinals, look: look, now: now) else { return }
            state.withLock { state in
                state.unheard.remove(key)
                state.found[hole.runID] = ordinal
            }
        }
    }

    /// Whether a hole was nothing but an own lock.
    func explains(_ gap: Gap) -> Bool {
        gap.ordinals.count == 1 && state.withLock { $0.found[gap.runID] == gap.ordinals.lowerBound }
    }

    /// In the last free place: which one it was cannot be known, and does not matter.
    private func put(
        _ key: [UInt8], into log: NodeLog, _ ordinals: ClosedRange<UInt64>, look: Int, now: UInt64
    ) -> UInt64? {
        let nearest = max(ordinals.lowerBound, ordinals.upperBound - min(ordinals.upperBound, 1000))
        for ordinal in (nearest...ordinals.upperBound).reversed() {
            let lock = HeardExpiration(ordinal: ordinal, database: 0, receivedAt: now, key: key)
            if log.insert([lock], look: look, now: now) == 1 { return ordinal }
        }
        return nil
    }

    private func run(_ script: Script, _ token: FencingToken) async -> [(ElectionKeys, RESPValue)] {
        await withTaskGroup(of: (ElectionKeys, RESPValue)?.self) { group in
            for keys in registers {
                group.addTask { [client] in
                    let reply = try? await client.run(
                        script, keys: [keys.progress], arguments: [Array("\(token)".utf8)], timeout: Self.patience)
                    return reply.map { (keys, $0) }
                }
            }
            return await group.reduce(into: []) { all, one in if let one { all.append(one) } }
        }
    }

    /// KEYS: progress. ARGV: token. Answers the token of a term that never took it away.
    private static let begin = Script(
        """
        local before = redis.call('HGET', KEYS[1], 'led') or ''
        redis.call('HSET', KEYS[1], 'led', ARGV[1])
        return before
        """)

    private static let end = Script(
        """
        if redis.call('HGET', KEYS[1], 'led') == ARGV[1] then redis.call('HDEL', KEYS[1], 'led') end
        return 1
        """)
}
