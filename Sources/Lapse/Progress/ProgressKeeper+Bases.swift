import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// What is missing from a process' counter is told until a majority of the registers has taken it: a
/// later leader that detects a reset knows its size from there alone.
extension ProgressKeeper {
    /// Tells the others what is missing from a process' counter, once for each base. What too few registers
    /// take is told again with each read.
    package func publish(base: Int64, of runID: String) async {
        guard base > 0, base < Numbering.toldLimit else { return }
        let own = UInt64(base)
        let untold = state.withLock { state -> UInt64? in
            state.bases[runID] = max(state.bases[runID] ?? 0, own)
            return state.ownBases.found(own, of: runID)
        }
        if let untold { _ = await tell(untold, of: runID) }
    }

    /// Those that no majority has taken yet. Where one is not taken the others wait, too.
    func tellAgain() async {
        let untold = state.withLock { $0.ownBases.untold }
        for (runID, base) in untold {
            guard await tell(base, of: runID) else { return }
        }
    }

    private func tell(_ base: UInt64, of runID: String) async -> Bool {
        let arguments = bytes(["base:\(runID)", "\(base)"])
        let replies = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.tellBase, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
        guard Self.isTaken(replies) else { return false }
        state.withLock { $0.ownBases.taken(base, of: runID) }
        return true
    }

    /// Whether a majority of all registers has taken what was written.
    static func isTaken(_ replies: [Reply]) -> Bool {
        ProgressVote.outcome(replies.map { reply in reply.value?.int.map { $0 == 1 } }) == .written
    }
}
