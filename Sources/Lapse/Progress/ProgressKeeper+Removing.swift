package import LeaderElection
import LeaderElectionRedis
import RedisClient
import Synchronization

/// Progress that is needed no more, and progress that the registers have lost.
extension ProgressKeeper {
    /// The leader forgets the progress of processes that are gone, and removes it from the registers. One
    /// that was away brings it back with the next read, and is asked again.
    package func remove(_ runIDs: [String], token: FencingToken) async {
        guard !runIDs.isEmpty else { return }
        forget(runIDs)
        let fields = runIDs.flatMap { ["log:\($0)", PublishedAccount.field($0), "base:\($0)"] }
        let arguments = bytes([tokenField, "\(token)"] + fields)
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.remove, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }

    /// A follower forgets what the leader has removed: see ``RemovedProgress``.
    package func forget(_ runIDs: [String]) {
        state.withLock { state in
            for runID in runIDs {
                state.known[runID] = nil
                state.bases[runID] = nil
                state.ownBases.forget(runID)
            }
        }
    }

    /// Of what is known, what a majority of the registers lacked when they were last read. Told once for
    /// each read.
    package func takeLacked() -> Set<String> {
        state.withLock { state in
            defer { state.lacked = [] }
            return state.lacked
        }
    }
}
