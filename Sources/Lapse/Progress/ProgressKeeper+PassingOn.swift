import LeaderElection
import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// A leader's word that its followers write in its place.
extension ProgressKeeper {
    /// Writes what a leader told while the registers refused it, as if its own write had come late: one
    /// that has seen a larger token, or a later write of that leader, goes by that.
    ///
    /// Only what is the newest word known here, so that no earlier epoch's token is taken for one of this.
    package func passOn(_ told: [Progress], token: UInt64) async -> Outcome {
        let known = state.withLock { $0.known }
        let progress = told.compactMap { entry in
            known[entry.runID].flatMap { ($0.token, $0.write) == (token, entry.write) ? $0 : nil }
        }
        guard let epoch = progress.map(\.epoch).max() else { return .fenced }
        let number = progress.map(\.write).max() ?? 0
        let arguments = bytes([tokenField, "\(token)", writeField, "\(number)", "\(epoch)"]) + Self.fields(progress)
        let replies = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.passOn, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
        // A register that knows nothing of the epoch is the leader's to bring into it.
        return ProgressVote.outcome(
            replies.map { reply in
                switch reply.value?.int {
                case 1: true
                case 0: false
                default: nil
                }
            })
    }
}
