import LeaderElectionRedis
import RedisClient

/// What a replica that leaves says beside the locks.
extension ProgressKeeper {
    /// This replica ends as soon as no other needs it any more. What cannot be written makes others that
    /// leave, too, wait for longer.
    package func sayThatItLeaves() async {
        let arguments = bytes([RegisterWord.leavingField(id)])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.sayThatItLeaves, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }

    /// This replica is about to end: the others need not wait for its answers any more.
    package func leave() async {
        let arguments = bytes([id, RegisterWord.leavingField(id), ReplicaWord.prefix + id])
        _ = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.leave, keys: [place.keys.members, place.keys.progress], arguments: arguments,
                timeout: timeout)
        }
    }
}
