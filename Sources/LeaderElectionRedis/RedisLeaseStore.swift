package import LeaderElection
import RedisClient
import Synchronization

/// The lease over Redis: N lock keys with fixed tags in one deployment, or one lock key on each of N
/// servers.
///
/// Source: "Distributed Locks with Redis" (the Redlock algorithm).
package final class RedisLeaseStore: LeaseStore {
    package let registers: [any LeaseRegister]
    package let keys: [ElectionKeys]
    private let runners: [any ScriptRunner]
    private let votes: VoteWatch
    private let listener = Mutex<AsyncStream<WakeUp>.Continuation?>(nil)

    /// N lock keys in one deployment.
    package init(name: String, count: Int, client: any ScriptRunner, timeout: Duration) {
        keys = ElectionKeys.registers(count, name: name)
        runners = keys.map { _ in client }
        let (seen, votes) = (LargestToken(), VoteWatch())
        self.votes = votes
        registers = keys.map {
            RedisLeaseRegister(keys: $0, runner: client, timeout: timeout, seen: seen, votes: votes)
        }
        naming = Self.tags(of: keys)
        capabilities = [.fencing, .serverTime, .push]
    }

    /// One lock key on each of several independent servers: the classic Redlock.
    package init(name: String, servers: [any ScriptRunner], timeout: Duration) {
        let key = ElectionKeys(tag: LockTags.tags(1)[0], name: name)
        keys = servers.map { _ in key }
        runners = servers
        let (seen, votes) = (LargestToken(), VoteWatch())
        self.votes = votes
        registers = servers.map {
            RedisLeaseRegister(keys: key, runner: $0, timeout: timeout, seen: seen, votes: votes)
        }
        // As many servers elsewhere would look like these: the one that both know tells them apart.
        let addresses = servers.compactMap { $0.node(for: key.lock) }.map { "\($0)" }
        naming = "\(Self.tags(of: keys)) lock-servers=\(addresses.sorted().joined(separator: ","))"
        capabilities = [.fencing, .serverTime]
    }

    /// Independent servers announce their releases to themselves, where no feed listens: followers have to
    /// look.
    package let capabilities: StoreCapabilities

    /// The hash tags of the lock keys; behind them independent servers have their addresses.
    package let naming: String

    private static func tags(of keys: [ElectionKeys]) -> String { keys.map(\.tag).joined(separator: ",") }

    package var failureDomains: Int? {
        let nodes = zip(runners, keys).map { runner, keys in runner.node(for: keys.lock) }
        return nodes.contains(nil) ? nil : Set(nodes.compactMap(\.self)).count
    }

    package func wakeUps() -> AsyncStream<WakeUp> {
        let (stream, continuation) = AsyncStream.makeStream(of: WakeUp.self, bufferingPolicy: .bufferingNewest(1))
        listener.withLock { $0 = continuation }
        return stream
    }

    /// Tells of the votes from now on.
    package func listen(_ listener: any VoteListener) { votes.listen(listener) }

    /// Passes on what the feeds hear: a release message, or the lock's own expiration.
    package func wake(_ wakeUp: WakeUp) {
        let continuation = listener.withLock { $0 }
        continuation?.yield(wakeUp)
    }
}
