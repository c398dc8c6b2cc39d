import LeaderElection
import Logging
import RedisClient
import Synchronization
import Timing

/// Leadership changes and gaps, on their way to logs, metrics and those who watch.
extension RunningProcessor {
    func announce(_ news: AsyncStream<LeadershipChange>) async {
        for await change in news {
            switch change {
            case .leading: metrics.transition("elected")
            case .ended(_, let reason): metrics.transition(reason.rawValue)
            default: break
            }
            if let text = change.onlookersText {
                metrics.recent.note(.leadership, configuration.id, text, now: WallClock.milliseconds())
            }
            changes.send(change)
        }
    }

    func heard(_ gap: Gap) {
        account.lost(gap.node, gap.lost)
        if let node = NodeAddress(gap.node) { metrics.gap(node, lost: gap.lost, repaired: gap.repaired) }
        logger.log(
            level: gap.lost > 0 ? .error : .notice, "gap",
            metadata: [
                "node": "\(gap.node)", "count": .stringConvertible(gap.count),
                "repaired": .stringConvertible(gap.repaired),
                "lost": .stringConvertible(gap.lost), "from": .stringConvertible(gap.ordinals.lowerBound),
                "to": .stringConvertible(gap.ordinals.upperBound),
                "runId": "\(gap.runID)",
            ])
        metrics.recent.note(
            .gap, "\(gap.count) not heard", node: gap.node,
            "\(gap.repaired) repaired, \(gap.lost) lost (\(gap.ordinals.lowerBound) to \(gap.ordinals.upperBound))",
            now: WallClock.milliseconds())
        metrics.ledger.lost(gap, "no replica heard it", now: WallClock.milliseconds())
        if gap.lost > 0 { parts.withLock { $0 }?.reconciler?.want(.gap) }
        gaps.send(gap)
    }
}
