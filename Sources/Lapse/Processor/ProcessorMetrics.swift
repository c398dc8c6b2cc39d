import LeaderElection
import Metrics
import RedisClient
import Synchronization

/// The numbers that Lapse exports, under the names dashboards rely on.
final class ProcessorMetrics: Sendable {
    private struct NodeSeries {
        let up: Gauge
        let received: Counter
        let lost: Counter
        let repaired: Counter
        let ignored: Counter
        let surplus: Counter
        let unannounced: Counter
        let entries: Gauge
        let bytes: Gauge
        let backlog: Gauge
        /// In the order of ``NodeAccount/states``.
        let account: [Gauge]
        var seenReceived: UInt64 = 0
    }

    private let nodes = Mutex<[NodeAddress: NodeSeries]>([:])
    private let lastRenewal = Mutex<Duration?>(nil)
    private let live = ProcessorMetrics.handled(.live)
    private let takenOver = ProcessorMetrics.handled(.takeover)
    private let repaired = ProcessorMetrics.handled(.repair)
    private let reconciled = ProcessorMetrics.handled(.reconcile)
    private let failures = Counter(label: "lapse_expirations_failed_total")
    private let retries = Counter(label: "lapse_expirations_retried_total")
    private let deadLetters = Counter(label: "lapse_expirations_dead_lettered_total")
    private let handlerTime = Timer(label: "lapse_handler_seconds")
    private let renewTime = Timer(label: "lapse_lease_renew_seconds")
    private let companionsScanned = Counter(label: "lapse_reconcile_scanned_total")
    private let companionsFound = Counter(label: "lapse_reconcile_found_total")
    private let leader = Gauge(label: "lapse_leader")
    private let term = Gauge(label: "lapse_term")
    private let leaseRemaining = Gauge(label: "lapse_lease_remaining_seconds")
    private let domains = Gauge(label: "lapse_failure_domains")
    private let running = Gauge(label: "lapse_in_flight")

    /// Whether the program has chosen a metrics backend.
    let isExported = !(MetricsSystem.factory is NOOPMetricsHandler)

    private static func handled(_ origin: Origin) -> Counter {
        Counter(label: "lapse_expirations_handled_total", dimensions: [("origin", origin.rawValue)])
    }

    /// Once for each expiration: no look-up by label or origin, and no `Duration`.
    func handled(_ origin: @autoclosure () -> Origin, in nanoseconds: Int64) {
        guard isExported else { return }
        switch origin() {
        case .live: live.increment()
        case .takeover: takenOver.increment()
        case .repair: repaired.increment()
        case .reconcile: reconciled.increment()
        }
        handlerTook(nanoseconds)
    }
    func failed() { failures.increment() }
    func retried() { retries.increment() }
    func deadLettered() { deadLetters.increment() }
    func reconcileScanned(_ count: Int) { companionsScanned.increment(by: Int64(count)) }
    func reconcileFound(_ count: Int) { companionsFound.increment(by: Int64(count)) }
    func handlerTook(_ nanoseconds: Int64) { handlerTime.recordNanoseconds(nanoseconds) }

    func subscription(_ node: NodeAddress, up: Bool) { series(node) { $0.up.record(up ? 1 : 0) } }
    func gap(_ node: NodeAddress, lost: UInt64, repaired: UInt64) {
        series(node) { series in
            series.lost.increment(by: Int64(lost))
            series.repaired.increment(by: Int64(repaired))
        }
    }
    func ignored(_ node: NodeAddress, _ count: UInt64) { series(node) { $0.ignored.increment(by: Int64(count)) } }
    func unannounced(_ node: NodeAddress, _ count: UInt64) {
        series(node) { $0.unannounced.increment(by: Int64(clamping: count)) }
    }
    func surplus(_ node: NodeAddress, _ count: UInt64) { series(node) { $0.surplus.increment(by: Int64(count)) } }

    func transition(_ reason: String) {
        Counter(label: "lapse_leadership_transitions_total", dimensions: [("reason", reason)]).increment()
    }

    /// Brings the gauges up to date.
    func refresh(_ status: ProcessorStatus, _ elector: ElectorState?) {
        for node in status.nodes {
            guard let address = NodeAddress(node.address) else { continue }
            series(address) { series in
                series.received.increment(by: Int64(node.received - min(node.received, series.seenReceived)))
                series.seenReceived = node.received
                series.entries.record(node.logEntries)
                series.bytes.record(node.logBytes)
                series.backlog.record(node.backlog)
                for (gauge, state) in zip(series.account, (node.account ?? NodeAccount()).states) {
                    gauge.record(state.count)
                }
            }
        }
        leader.record(status.isLeader ? 1 : 0)
        term.record(status.term)
        leaseRemaining.record(status.leaseRemainingSeconds)
        running.record(status.inFlight)
        guard let elector else { return }
        domains.record(elector.failureDomains ?? elector.registers.count)
        for (state, count) in status.registerCounts {
            Gauge(label: "lapse_lease_registers", dimensions: [("state", state)]).record(count)
        }
        let isNew = lastRenewal.withLock { last in
            defer { last = elector.lastRenewal }
            return last != elector.lastRenewal
        }
        if isNew, let took = elector.lastRenewal { renewTime.record(duration: took) }
    }

    private func series(_ node: NodeAddress, _ body: (inout NodeSeries) -> Void) {
        nodes.withLock { nodes in
            let label = [("node", "\(node)")]
            var series =
                nodes[node]
                ?? NodeSeries(
                    up: Gauge(label: "lapse_subscription_up", dimensions: label),
                    received: Counter(label: "lapse_expirations_received_total", dimensions: label),
                    lost: Counter(label: "lapse_expirations_lost_total", dimensions: label),
                    repaired: Counter(label: "lapse_expirations_repaired_total", dimensions: label),
                    ignored: Counter(label: "lapse_expirations_ignored_total", dimensions: label),
                    surplus: Counter(label: "lapse_expirations_surplus_total", dimensions: label),
                    unannounced: Counter(label: "lapse_expirations_unannounced_total", dimensions: label),
                    entries: Gauge(label: "lapse_log_entries", dimensions: label),
                    bytes: Gauge(label: "lapse_log_bytes", dimensions: label),
                    backlog: Gauge(label: "lapse_backlog", dimensions: label),
                    account: NodeAccount().states.map { state in
                        Gauge(label: "lapse_account", dimensions: label + [("state", state.name)])
                    })
            body(&series)
            nodes[node] = series
        }
    }
}
