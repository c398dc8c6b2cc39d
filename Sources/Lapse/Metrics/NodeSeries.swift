import Metrics

/// The series of one node.
struct NodeSeries {
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
    let oldest: Gauge
    let nudges: Counter
    let deadlines: Gauge
    let uncovered: Gauge
    let predictedLag: Gauge
    let canaryAge: Gauge
    let canaryLag: Gauge
    let canaryMissing: Counter
    /// In the order of ``NodeAccount/states``.
    let account: [Gauge]
    var seenReceived: UInt64 = 0

    init(_ label: String) {
        let declared = LapseMetrics.declared
        up = declared.subscriptionUp.gauge(label)
        received = declared.received.counter(label)
        lost = declared.lost.counter(label)
        repaired = declared.repaired.counter(label)
        ignored = declared.ignored.counter(label)
        surplus = declared.surplus.counter(label)
        unannounced = declared.unannounced.counter(label)
        entries = declared.logEntries.gauge(label)
        bytes = declared.logBytes.gauge(label)
        backlog = declared.backlog.gauge(label)
        oldest = declared.oldest.gauge(label)
        nudges = declared.nudges.counter(label)
        deadlines = declared.deadlines.gauge(label)
        uncovered = declared.uncovered.gauge(label)
        predictedLag = declared.predictedLag.gauge(label)
        canaryAge = declared.canaryAge.gauge(label)
        canaryLag = declared.canaryLag.gauge(label)
        canaryMissing = declared.canaryMissing.counter(label)
        account = NodeAccount().states.map { state in declared.account.gauge(label, state.name) }
    }

    func destroy() {
        for gauge in [
            up, entries, bytes, backlog, oldest, deadlines, uncovered, predictedLag, canaryAge, canaryLag,
        ] + account { gauge.destroy() }
        for counter in [received, lost, repaired, ignored, surplus, unannounced, nudges, canaryMissing] {
            counter.destroy()
        }
    }
}
