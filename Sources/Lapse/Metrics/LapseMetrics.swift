/// Every metric that Lapse exports: name, kind, labels, meaning and buckets stand here and nowhere
/// else. The manual's table, the series and the text for Prometheus are made from it or compared with
/// it.
///
/// A new one is a property here and its instrument in ``ProcessorMetrics``.
package struct LapseMetrics: Sendable {
    // Leadership
    let leader = MetricDeclaration.gauge("lapse_leader", "1 while this replica leads, else 0.")
    let term = MetricDeclaration.gauge(
        "lapse_term", "Number of this replica's term under way, else of its last one; 0 before its first.")
    let transitions = MetricDeclaration.counter(
        "lapse_leadership_transitions_total", by: "reason",
        "Changes of this replica's role, by what caused them.")
    let leaseRemaining = MetricDeclaration.gauge(
        "lapse_lease_remaining_seconds", "Time left on the lease that this replica holds; 0 when it holds none.")
    let leaseRenewal = MetricDeclaration.histogram(
        "lapse_lease_renew_seconds",
        buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        "Time that one renewal of the lease took, over all registers.")
    let leaseRegisters = MetricDeclaration.gauge(
        "lapse_lease_registers", by: "state", "Registers of the lease, by what this replica knows of them.")
    let failureDomains = MetricDeclaration.gauge(
        "lapse_failure_domains",
        "Distinct servers that hold the lease's registers; fewer than registers means fewer failures survived.")

    // Delivery
    let handled = MetricDeclaration.counter(
        "lapse_expirations_handled_total", by: "origin", of: ["live", "takeover", "repair", "reconcile"],
        "Expirations whose handler succeeded, by why they were handled.")
    let failed = MetricDeclaration.counter(
        "lapse_expirations_failed_total", "Handler attempts that threw or ran out of time.")
    let retried = MetricDeclaration.counter("lapse_expirations_retried_total", "Handler attempts after a failed one.")
    let deadLettered = MetricDeclaration.counter(
        "lapse_expirations_dead_lettered_total", "Expirations given up after the last retry.")
    let reconcileScanned = MetricDeclaration.counter(
        "lapse_reconcile_scanned_total", "Companion keys looked at by reconciliation.")
    let reconcileFound = MetricDeclaration.counter(
        "lapse_reconcile_found_total",
        "Companion keys whose timer was gone without an announcement, handed to the handler.")
    let inFlight = MetricDeclaration.gauge("lapse_in_flight", "Handlers running now.")
    let handlerTime = MetricDeclaration.histogram("lapse_handler_seconds", "Time that one handler attempt took.")

    // Feeds
    let subscriptionUp = MetricDeclaration.gauge(
        "lapse_subscription_up", by: "node", "1 while the feed of this node is subscribed, else 0.")
    let received = MetricDeclaration.counter(
        "lapse_expirations_received_total", by: "node", "Expirations received from this node.")
    let lost = MetricDeclaration.counter(
        "lapse_expirations_lost_total", by: "node",
        "Expirations of this node that no replica saw or that were trimmed before they were handled.")
    let repaired = MetricDeclaration.counter(
        "lapse_expirations_repaired_total", by: "node", "Missed expirations of this node had from a peer.")
    let surplus = MetricDeclaration.counter(
        "lapse_expirations_surplus_total", by: "node",
        "Messages beyond what this node counts as expired: forged, or its statistics were reset.")
    let ignored = MetricDeclaration.counter(
        "lapse_expirations_ignored_total", by: "node",
        "Expirations passed over: this node did not own the slot any more, or the key is not wanted.")
    let unannounced = MetricDeclaration.counter(
        "lapse_expirations_unannounced_total", by: "node",
        "Expirations that this node counted and never announced, though it was set to: nothing that could be heard."
    )
    let logEntries = MetricDeclaration.gauge(
        "lapse_log_entries", by: "node", "Expirations kept in the log of this node.")
    let logBytes = MetricDeclaration.gauge("lapse_log_bytes", by: "node", "Bytes kept in the log of this node.")
    let backlog = MetricDeclaration.gauge(
        "lapse_backlog", by: "node", "Expirations of this node in the log that are not yet finished.")
    let oldest = MetricDeclaration.gauge(
        "lapse_backlog_age_seconds", by: "node",
        "How long the oldest expiration of this node that is not yet finished has waited.")
    let letters = MetricDeclaration.gauge(
        "lapse_dead_letters",
        "Dead letters that wait in the stream of --dead-letter; NaN without one, or while it cannot be asked.")
    let topologyAge = MetricDeclaration.gauge(
        "lapse_topology_age_seconds",
        "How old this replica's view of the servers is: the time since a look at the topology succeeded.")
    let account = MetricDeclaration.gauge(
        "lapse_account", byAll: ["node", "state"],
        "What became of this node's expirations in the leader's term: announced is the sum of the other states.")

    // The service
    let ready = MetricDeclaration.gauge("lapse_ready", "1 while /readyz answers 200, else 0.")
    let paused = MetricDeclaration.gauge("lapse_paused", "1 while an operator's pause holds here, else 0.")
    let buildInfo = MetricDeclaration.gauge(
        "lapse_build_info", byAll: ["version", "commit"], "1, by the build that runs.")
    // Punctuality
    let lag = MetricDeclaration.histogram(
        "lapse_lag_seconds",
        buckets: [0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10, 30, 60, 300],
        "Time from a key's deadline until its expiration was heard, of keys whose deadline the leader kept.")
    let predictedLag = MetricDeclaration.gauge(
        "lapse_predicted_lag_seconds", by: "node",
        "How late this node is expected to announce by itself, by its keys with a TTL: the median.")
    let nudges = MetricDeclaration.counter(
        "lapse_nudges_total", by: "node",
        "PTTL asked of keys that are overdue; this node counts a keyspace_misses for each that it then expires.")
    let deadlines = MetricDeclaration.gauge(
        "lapse_deadlines_kept", by: "node", "Keys of this node whose deadline the leader keeps.")
    let uncovered = MetricDeclaration.gauge(
        "lapse_deadlines_uncovered", by: "node",
        "Keys of this node in the last second whose deadline could not be kept: --punctual-bytes, or a refusal.")

    let canaryAge = MetricDeclaration.gauge(
        "lapse_canary_age_seconds", by: "node",
        "Time since a canary of this node came back, else since the leader met the node; 0 without --canary.")
    let canaryLag = MetricDeclaration.gauge(
        "lapse_canary_lag_seconds", by: "node",
        "Time from the deadline of the last canary of this node that came back until it was heard, at most.")
    let canaryMissing = MetricDeclaration.counter(
        "lapse_canary_missing_total", by: "node", "Canaries of this node that did not come back.")

    // The stream
    let streamAppended = MetricDeclaration.counter(
        "lapse_stream_appended_total", "Entries appended to the stream.")
    let streamUncertain = MetricDeclaration.counter(
        "lapse_stream_uncertain_total",
        "Of these, entries that may stand there twice: their position could not be trusted.")
    let streamRefused = MetricDeclaration.counter(
        "lapse_stream_refused_total", "Calls that appended nothing: refused, or without an answer in time.")
    let streamAgain = MetricDeclaration.counter(
        "lapse_stream_appended_again_total", "Entries appended again, since a promoted server lacked them.")
    let streamLost = MetricDeclaration.counter(
        "lapse_stream_lost_total", by: "by", of: ["failover", "others", "bound"],
        "Entries gone unread: with a failed master, by another client's XTRIM or DEL, by --stream-maxlen.")

    // Workers
    let workClaimed = MetricDeclaration.counter(
        "lapse_work_claimed_total", "Entries taken over from workers that died or left.")
    let workDeleted = MetricDeclaration.counter(
        "lapse_work_deleted_total", "Entries deleted from the stream after they were read and before they were handled."
    )

    package static let declared = LapseMetrics()
    /// All of them, in their order above.
    package static let all = Mirror(reflecting: declared).children.compactMap { $0.value as? MetricDeclaration }
    /// What a worker of a stream exports. The others are of replicas: a worker has no lease, hears no node
    /// and appends nothing.
    package static let ofWorkers = [
        declared.handled, declared.failed, declared.retried, declared.deadLettered, declared.inFlight,
        declared.handlerTime, declared.letters, declared.ready, declared.buildInfo, declared.workClaimed,
        declared.workDeleted,
    ]
}
