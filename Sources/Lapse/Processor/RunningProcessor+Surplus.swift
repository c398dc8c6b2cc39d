import LeaderElection
import Logging
import RedisClient
import Synchronization
import Timing

/// What is told of expirations that were given up: too many waited, or the key was too large.
extension RunningProcessor {
    /// It is missing in every log, and so counted as lost by the leader.
    func heardLargeKey(of node: NodeAddress, _ bytes: Int, _ begin: String) {
        let now = SystemClock.read().monotonic
        guard let count = largeKeyLine.withLock({ $0.happened(now: now) }) else { return }
        logger.error(
            "expired key too large: passed over",
            metadata: [
                "node": "\(node)", "key": "\(configuration.logKeys == .full ? "\(begin)…" : "-")",
                "bytes": .stringConvertible(bytes),
                "limit": .stringConvertible(Subscription.messageBytes),
                "count": .stringConvertible(count),
                "fix": "shorter keys; or find the client that publishes this on the event channel",
            ])
    }

    func gaveUp(_ deliveries: [Delivery]) {
        let lost = deliveries.filter(\.hasPosition)
        // Those with companions are found by them.
        if !lost.isEmpty { parts.withLock { $0 }?.reconciler?.want(.gap) }
        for (process, deliveries) in Dictionary(grouping: lost, by: \.slice.process) {
            let count = UInt64(deliveries.count)
            account.lost(process.node, count)
            if let node = NodeAddress(process.node) { metrics.gap(node, lost: count, repaired: 0) }
            for delivery in deliveries {
                let gap = Gap(
                    node: process.node, runID: process.runID, ordinals: delivery.ordinal...delivery.ordinal,
                    repaired: 0)
                metrics.ledger.lost(gap, "given up: too many waited", now: WallClock.milliseconds())
                gaps.send(gap)
            }
        }
        let now = SystemClock.read().monotonic
        guard let last = deliveries.last,
            let count = surplusLine.withLock({ $0.happened(UInt64(deliveries.count), now: now) })
        else { return }
        logger.error(
            "expirations given up: too many wait behind their key or to be tried again",
            metadata: [
                "count": .stringConvertible(count), "key": "\(configuration.logKeys.text(last.key))",
                "node": "\(last.node)",
                "fix": "a handler that keeps up with its busiest key, or one that succeeds",
            ])
    }
}
