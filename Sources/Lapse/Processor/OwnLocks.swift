import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// Finds out which of Lapse's own locks ran out while no replica listened.
///
/// A term leaves its token beside each lock; the release takes it away with the lock, also where a parent gives it back for a worker that died. A successor that
/// finds one knows that this lock ran out.
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

    func termBegins(_ token: FencingToken) async {
        let keys = await run(Self.begin, token).compactMap { keys, reply in
            reply.string?.isEmpty == false ? keys.lock : nil
        }
        lapsed.withLock { $0 = LapsedLocks(keys, logs.all) }
        for key in keys {
            guard let node = client.node(for: key) else { continue }
            let logs = logs.logs(at: node)
            lapsed.withLock { $0.heard(in: logs, key) }
        }
    }

    /// A lock's expiration was announced, and a feed heard it.
    func heard(_ key: String) { lapsed.withLock { $0.heard(key) } }

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
}
