import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// What operators want of the group, and what its leader says to it.
extension ProgressKeeper {
    /// As last read: a wish that a majority of the registers holds.
    package func wish(_ kind: Wish.Kind) -> StandingWish? { state.withLock { $0.wishes[kind] } }

    /// The largest token of this store that was read.
    package var latestToken: UInt64 { state.withLock { $0.latestToken } }

    /// What became of each log in the leader's term, as last read; by run ID.
    package var accounts: [String: PublishedAccount] { state.withLock { $0.accounts } }

    /// What replicas said of themselves within the last half minute, by member.
    package var replicas: [String: ReplicaWord] { state.withLock { $0.replicas } }

    /// The number of the last term, and when it began, in milliseconds since 1970; nil where the lease is
    /// not held here.
    package var termRecord: (term: UInt64, since: UInt64?) { state.withLock { $0.term } }

    /// This replica says what it is.
    package func write(_ word: ReplicaWord) async {
        let arguments = bytes([ReplicaWord.prefix + id, word.text])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.tellOfReplica, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }

    /// Says it in every register; one that has seen a larger token passes over it.
    ///
    /// - Returns: whether a majority has taken it.
    package func write(_ answer: SteeringAnswer) async -> Bool {
        Self.isTaken(
            await say(
                [answer.field, answer.written, SteeringAnswer.lastField, answer.written], token: answer.token))
    }

    /// The wish is fulfilled, or never will be. Another one of its kind stays. What cannot be removed runs
    /// out by itself.
    package func remove(_ wish: Wish) async {
        let arguments = bytes([wish.kind.field, wish.nonce])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.removeWish, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }
}
