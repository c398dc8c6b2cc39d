import LeaderElection
import Logging
import RedisClient
import Synchronization
import Timing

extension RunningProcessor {
    /// How long the oldest expiration of each node that is not finished has waited; empty while not
    /// leading.
    func ages(_ parts: Parts, now: UInt64) -> [NodeAddress: Duration] {
        let oldest = parts.dispatcher.inspect { $0.oldest() }
        return logs.all.reduce(into: [:]) { ages, log in
            guard let received = oldest[log.runID] else { return }
            let age = Duration.milliseconds(Int64(clamping: now - min(now, received)))
            ages[log.address] = max(ages[log.address] ?? .zero, age)
        }
    }

    func watchAge(_ parts: Parts) {
        let unproven = Set(logs.all.filter(\.isUnproven).map(\.address))
        var ages = self.ages(parts, now: WallClock.milliseconds())
        watchProof(ages.filter { unproven.contains($0.key) })
        // What waits for proof does not wait for its handler.
        ages = ages.filter { !unproven.contains($0.key) }
        let oldest = ages.max { $0.value < $1.value }
        let now = SystemClock.read().monotonic
        // A receiver that stays away for as long again means loss.
        let isLate = (oldest?.value ?? .zero) >= configuration.logAge / 2
        switch troubles.withLock({ $0.age.look(isLate, now: now) }) {
        case .tell:
            guard let oldest else { return }
            logger.warning(
                "expirations wait for long: what handles them does not keep up",
                metadata: [
                    "node": "\(oldest.key)", "seconds": .stringConvertible(oldest.value.components.seconds),
                    "logAgeSeconds": .stringConvertible(configuration.logAge.components.seconds),
                    "fix":
                        "see that what handles them works and keeps up (lapse_handler_seconds), or raise --log-age and --log-bytes",
                ])
        case .over: logger.notice("expirations wait no longer than they should")
        case .nothing: break
        }
    }

    /// Says which nodes' expirations cannot be told from what a deposed master announces: no handler can
    /// help there.
    private func watchProof(_ ages: [NodeAddress: Duration]) {
        let oldest = ages.max { $0.value < $1.value }
        let step = troubles.withLock { troubles in
            let step = troubles.proof.look(oldest != nil, now: SystemClock.read().monotonic)
            let isTold = troubles.proof.isTold
            troubles.proofReason =
                isTold ? oldest.map { "\($0.key): expirations wait for proof that it is the master" } : nil
            return step
        }
        switch step {
        case .tell:
            guard let oldest else { return }
            logger.warning(
                "expirations wait for proof that their node is the master",
                metadata: [
                    "node": "\(oldest.key)", "seconds": .stringConvertible(oldest.value.components.seconds),
                    "logAgeSeconds": .stringConvertible(configuration.logAge.components.seconds),
                    "topology": "\(watch.trouble?.description ?? "looked at")",
                    "fix":
                        "let those that decide about roles answer: the Sentinels, a majority of the cluster, every server",
                ])
        case .over: logger.notice("expirations wait for no proof any more")
        case .nothing: break
        }
    }
}
