import Logging
import RedisClient
import Synchronization
import Timing

extension RunningProcessor {
    /// Says that looks at the topology fail, once that lasts.
    ///
    /// The feeds go on meanwhile, so that nothing else shows it: a new master is not found, and what
    /// comes after a silence of a node waits for proof of its role.
    ///
    /// - Parameter now: by the monotonic clock.
    func watchTopology(_ now: Duration) {
        let trouble = watch.trouble
        let step = troubles.withLock { troubles in
            let step = troubles.topology.look(trouble != nil, now: now)
            let isTold = troubles.topology.isTold
            troubles.topologyReason = isTold ? trouble.map { "the topology cannot be looked at: \($0)" } : nil
            return step
        }
        switch step {
        case .tell:
            logger.warning(
                "topology cannot be looked at: roles and slots are as last seen",
                metadata: [
                    "error": "\(trouble?.description ?? "")",
                    "ageSeconds": .stringConvertible(watch.age(now: now)?.components.seconds ?? 0),
                ])
        case .over: logger.notice("topology is looked at again")
        case .nothing: break
        }
    }
}
