import LeaderElection
import LeaderElectionRedis
import RedisClient
import Synchronization
import Timing

/// What an onlooker sees.
extension RunningProcessor {
    /// - Parameter samples: how many of the next expirations are to be noted.
    func view(samples: Int) async -> GroupView? {
        guard let status, let parts = parts.withLock({ $0 }) else { return nil }
        metrics.recent.wantSamples(samples)
        let now = WallClock.milliseconds()
        // A follower does not know how long the leader's lease lasts: the registers do.
        let standing = status.isLeader ? nil : await parts.elector.look()
        let leader = standing?.leader ?? status.leader
        let record = parts.keeper.termRecord
        let left = status.isLeader ? status.leaseRemaining : standing?.left
        return GroupView(
            name: status.name, id: status.id, version: BuildVersion.text, role: status.role.rawValue,
            leader: leader, term: status.isLeader ? status.term : max(record.term, status.term),
            since: leader == nil ? nil : record.since, leaseLeft: left.map { $0 / .seconds(1) },
            leaseLength: configuration.leaseTTL / .seconds(1), inFlight: status.inFlight, pause: status.pause,
            troubles: readiness().map { $0.cut(toBytes: 300) }, nodes: nodes(status, parts.keeper, now),
            replicas: GroupView.Replica.rows(of: parts.keeper.peers, parts.keeper.replicas, leader: leader),
            recent: Dictionary(uniqueKeysWithValues: metrics.recent.latest.map { ($0.key.rawValue, $0.value) }),
            now: now)
    }

    /// - Returns: what is sampled each second.
    func figures() -> ViewFigures {
        let parts = parts.withLock { $0 }
        let isFollower = parts.map { !$0.elector.state.isLeader } ?? false
        let handled = isFollower ? parts?.keeper.accounts.mapValues { $0.account.handled } : nil
        return ViewFigures(
            delays: metrics.delays.counts, failed: metrics.failedCount,
            byLeader: handled.flatMap { $0.isEmpty ? nil : $0 })
    }

    private func nodes(_ status: ProcessorStatus, _ keeper: ProgressKeeper, _ now: UInt64) -> [GroupView.Node] {
        let progress = keeper.latest
        let accounts = keeper.accounts
        let kept = logs.all
        return status.nodes.map { node in
            let feed = !node.isSubscribed ? "down" : node.isSilent ? "silent" : "subscribed"
            var view = GroupView.Node(
                address: node.address, role: node.role.rawValue, feed: feed, error: node.error?.cut(toBytes: 200),
                backlog: node.backlog, account: node.account)
            // A node's earlier process may have left something unfinished: the oldest counts.
            for log in kept where log.runID == node.runID || "\(log.address)" == node.address {
                let settled = progress[log.runID]?.cursor.settled
                if log.runID == node.runID { view.position = log.counts.last }
                guard let settled, let last = log.counts.last, last > settled else { continue }
                if !status.isLeader { view.backlog += last - settled }
                // What the leader has finished and not written yet does not wait.
                guard view.backlog > 0 else { continue }
                if case .entries(let chunk) = log.next(after: settled, upTo: 1) {
                    let received = chunk.receivedAt(0)
                    view.waitsFor = max(view.waitsFor ?? 0, now - min(now, received))
                }
            }
            if !status.isLeader, let runID = node.runID { view.account = accounts[runID]?.account }
            return view
        }
    }

    /// Says, every few seconds, what this replica is and how far behind the leader.
    func tellOfItself(_ parts: Parts) async {
        let progress = parts.keeper.latest
        let behind = logs.all.reduce(UInt64(0)) { sum, log in
            guard let through = progress[log.runID]?.cursor.through, let last = log.counts.last else { return sum }
            return sum + (through - min(through, last))
        }
        await parts.keeper.write(ReplicaWord(version: BuildVersion.text, behind: behind))
    }
}
