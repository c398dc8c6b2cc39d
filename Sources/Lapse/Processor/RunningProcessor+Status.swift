import LeaderElection
import RedisClient
import Synchronization
import Timing

/// How a processor stands: for the admin port and the metrics.
extension RunningProcessor {
    var status: ProcessorStatus? {
        guard let parts = parts.withLock({ $0 }) else { return nil }
        let state = parts.elector.state
        let feeds = parts.feeds.statuses
        let backlog = parts.dispatcher.inspect { $0.backlog() }
        let topology = watch.current
        // A feed may serve under another address of its node.
        func known(_ address: NodeAddress) -> NodeAddress { topology?.canonicalAddress(of: address) ?? address }
        let accounts = Dictionary(
            parts.dispatcher.inspect { $0.accounts() }.map { log in
                (NodeAddress(log.node).map { "\(known($0))" } ?? log.node, log.account)
            }, uniquingKeysWith: { $0 + $1 })
        let nodes = (topology?.nodes ?? []).map { node in
            let addresses = topology?.addresses(of: node) ?? []
            let feed =
                addresses.lazy.compactMap { feeds[$0] }.first(where: \.isSubscribed) ?? feeds[node.address]
                ?? NodeFeed.Status()
            let sums = addresses.map { account["\($0)"] }.reduce(NodeTotals.Entry()) { $0 + $1 }
            let kept = logs.all.filter { known($0.address) == node.address }
            return ProcessorStatus.Node(
                address: "\(node.address)", role: node.role == .master ? .master : .replica, runID: feed.runID,
                isSubscribed: feed.isSubscribed, isSilent: feed.isSilent, notifications: feed.notifications,
                error: feed.error, received: kept.reduce(0) { $0 + $1.counts.received }, lost: sums.lost,
                ignored: sums.ignored, surplus: kept.reduce(0) { $0 + $1.counts.surplus },
                logEntries: kept.reduce(0) { $0 + $1.counts.entries },
                logBytes: kept.reduce(0) { $0 + $1.counts.bytes },
                backlog: kept.reduce(0) { $0 + (backlog[$1.runID] ?? 0) }, account: accounts["\(node.address)"])
        }
        return ProcessorStatus(
            name: configuration.name, id: configuration.id, role: state.role, isLeader: state.isLeader,
            term: state.term, token: state.token.rawValue, leader: state.isLeader ? configuration.id : state.leader,
            leaseRemaining: state.leaseRemaining,
            registers: state.registers.reduce(into: ProcessorStatus.RegisterCounts()) { $0.count($1.state) },
            inFlight: parts.dispatcher.inFlight, nodes: nodes, pause: pause,
            deadLetters: parts.leadership.lane.deadLetters.count.current)
    }

    private var pause: ProcessorStatus.Pause? {
        steering.pause.map { pause in
            .init(author: pause.author, remaining: max(pause.until - SystemClock.read().monotonic, .zero))
        }
    }

    /// What an operator has asked for, and a probe is to show: no reason against readiness.
    func notices() -> [String] {
        guard let pause else { return [] }
        return ["paused by \(pause.author) for another \(Int((pause.remaining / .seconds(1)).rounded(.up))) s"]
    }

    func liveness() -> String? {
        guard let state = parts.withLock({ $0 })?.elector.state else { return nil }
        guard state.role == .leading || state.role == .suspect, !state.isLeader else { return nil }
        return "this leader has not renewed its lease in time"
    }

    /// A feed may serve under another address of its node: the node's own comes first.
    func feedStatuses(of address: NodeAddress) -> [NodeFeed.Status] {
        guard let topology = watch.current, let node = topology.node(at: address),
            let statuses = parts.withLock({ $0 })?.feeds.statuses
        else { return [] }
        return topology.addresses(of: node).compactMap { statuses[$0] }
    }

    func readiness() -> [String] {
        guard let status else { return ["Redis has not been reached yet"] }
        guard !status.nodes.isEmpty else { return ["no node is known"] }
        var reasons: [String] = []
        if !status.nodes.contains(where: { $0.role == .master }) {
            reasons.append("no master is known")
        }
        let leftBehind = Set((watch.current?.nodes ?? []).filter(\.isLeftBehind).map { "\($0.address)" })
        for node in status.nodes
        where node.role == .master && !leftBehind.contains(node.address) {
            if !node.isSubscribed {
                reasons.append("\(node.address): not subscribed\(node.error.map { " (\($0))" } ?? "")")
            } else if node.isSilent {
                reasons.append("\(node.address): does not answer")
            } else if let error = node.error {
                reasons.append("\(node.address): expirations cannot be numbered (\(error))")
            } else if configuration.notifications != .off, let flags = node.notifications,
                !Notifications.suffice(flags)
            {
                reasons.append("\(node.address): announces no expirations: \(Notifications.command(flags))")
            } else if let unheard = unheard(node) {
                reasons.append("\(node.address): counted \(unheard) expirations and announced none of them")
            }
        }
        if let refusal = parts.withLock({ $0 })?.elector.state.refusal { reasons.append("not campaigning: \(refusal)") }
        if let topology = watch.current, topology.uncoveredSlots > 0 {
            reasons.append("\(topology.uncoveredSlots) slots are owned by no node")
        }
        let parts = parts.withLock { $0 }
        return reasons + (parts?.stream?.reasons ?? []) + (parts?.canaries?.reasons ?? []) + troubleReasons
    }

    /// What a node counted and did not announce since it last announced anything; nil when that is too
    /// little to tell.
    private func unheard(_ node: ProcessorStatus.Node) -> UInt64? {
        guard let runID = node.runID, let count = logs[runID]?.counts.unheard, count >= 10 else { return nil }
        return count
    }

    func refreshMetrics() {
        guard let status else { return }
        let parts = parts.withLock { $0 }
        let ages = parts.map { self.ages($0, now: WallClock.milliseconds()) } ?? [:]
        metrics.refresh(
            status, parts?.elector.state, ages, viewAge: watch.age(now: SystemClock.read().monotonic) ?? .zero,
            isReady: readiness().isEmpty)
    }
}

extension ProcessorStatus.RegisterCounts {
    fileprivate mutating func count(_ state: RegisterState) {
        switch state {
        case .unknown: unknown += 1
        case .ok: ok += 1
        case .lost: lost += 1
        case .unreachable: unreachable += 1
        }
    }
}
