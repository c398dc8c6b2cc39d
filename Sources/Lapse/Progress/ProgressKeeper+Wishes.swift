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

    /// Says it in every register; one that has seen a larger token passes over it.
    package func write(_ answer: SteeringAnswer) async {
        let arguments = bytes([tokenField, "\(answer.token)", SteeringAnswer.field, answer.written])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.say, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }

    /// The wish is fulfilled, or never will be. Another one of its kind stays. What cannot be removed runs out by itself.
    package func remove(_ wish: Wish) async {
        let arguments = bytes([wish.kind.field, wish.nonce])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.removeWish, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }
}
