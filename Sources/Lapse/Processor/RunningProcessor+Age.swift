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
        let ages = self.ages(parts, now: WallClock.milliseconds())
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
}
