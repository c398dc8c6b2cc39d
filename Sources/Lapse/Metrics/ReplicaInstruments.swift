import Metrics

/// The instruments of replicas alone.
///
/// To make a gauge exports it, at 0: a worker that made them would stand for a group without a leader.
struct ReplicaInstruments: Sendable {
    let leader = LapseMetrics.declared.leader.gauge()
    let term = LapseMetrics.declared.term.gauge()
    let leaseRemaining = LapseMetrics.declared.leaseRemaining.gauge()
    let renewTime = LapseMetrics.declared.leaseRenewal.timer()
    let domains = LapseMetrics.declared.failureDomains.gauge()
    let topologyAge = LapseMetrics.declared.topologyAge.gauge()
    let paused = LapseMetrics.declared.paused.gauge()
    let lag = LapseMetrics.declared.lag.timer()
    let companionsScanned = LapseMetrics.declared.reconcileScanned.counter()
    let companionsFound = LapseMetrics.declared.reconcileFound.counter()
    let streamAppended = LapseMetrics.declared.streamAppended.counter()
    let streamUncertain = LapseMetrics.declared.streamUncertain.counter()
    let streamRefusals = LapseMetrics.declared.streamRefused.counter()
    let streamAgain = LapseMetrics.declared.streamAgain.counter()
    let lostByFailover = LapseMetrics.declared.streamLost.counter("failover")
    let lostByOthers = LapseMetrics.declared.streamLost.counter("others")
    let lostByBound = LapseMetrics.declared.streamLost.counter("bound")
}
