import LeaderElection
import Metrics
import RedisClient
import Synchronization
import Timing

/// The instruments of ``LapseMetrics``, and when they move.
final class ProcessorMetrics: Sendable {
    private let nodes = Mutex<[NodeAddress: NodeSeries]>([:])
    /// Where nodes of former addresses are now: what is told of them there counts here.
    private let homes = Mutex<[NodeAddress: NodeAddress]>([:])
    private let lastRenewal = Mutex<Duration?>(nil)
    private let live = ProcessorMetrics.handled(.live)
    private let takenOver = ProcessorMetrics.handled(.takeover)
    private let repaired = ProcessorMetrics.handled(.repair)
    private let reconciled = ProcessorMetrics.handled(.reconcile)
    private let failures = LapseMetrics.declared.failed.counter()
    private let retries = LapseMetrics.declared.retried.counter()
    private let deadLetters = LapseMetrics.declared.deadLettered.counter()
    private let handlerTime = LapseMetrics.declared.handlerTime.timer()
    /// Nil in a worker.
    private let replica: ReplicaInstruments?
    private let workClaimed = LapseMetrics.declared.workClaimed.counter()
    private let workDeleted = LapseMetrics.declared.workDeleted.counter()
    private let ready = LapseMetrics.declared.ready.gauge()
    /// For onlookers.
    let delays = DelayCounts()
    let recent: RecentEvents
    let ledger = TraceLedger()
    private let failureCount = Atomic<UInt64>(0)
    private let letters = LapseMetrics.declared.letters.gauge()
    private let build = LapseMetrics.declared.buildInfo.gauge(BuildVersion.text, BuildVersion.commit)
    private let running = LapseMetrics.declared.inFlight.gauge()

    /// Whether the program has chosen a metrics backend.
    let isExported = !(MetricsSystem.factory is NOOPMetricsHandler)

    /// Who counts.
    enum Role {
        case replica, worker
    }

    init(of role: Role = .replica, keys: KeyDisclosure = .full) {
        replica = role == .replica ? ReplicaInstruments() : nil
        recent = RecentEvents(keys: keys)
        build.record(1)
    }

    private static func handled(_ origin: ExpirationOrigin) -> Counter {
        LapseMetrics.declared.handled.counter(origin.rawValue)
    }

    /// Once for each expiration: no look-up by label or origin, and no `Duration`.
    ///
    /// - Parameter wall: the time, as of ``SystemClock/glance()``.
    func handled(_ expiration: Expiration, in nanoseconds: Int64, wall: Int64) {
        guard isExported else { return }
        count(expiration.origin)
        noteDelay(of: expiration, wall)
        handlerTook(nanoseconds)
    }

    private func noteDelay(of expiration: Expiration, _ wall: Int64) {
        let now = UInt64(max(0, wall - SystemClock.glanceIsLate)) / 1_000_000
        let delay = now - min(now, expiration.receivedMilliseconds)
        delays.add(delay)
        if recent.wantsSample { recent.sample(expiration, delay: delay, now: now) }
    }

    /// Once for each batch: its time is that of the whole.
    func handled(_ deliveries: DeliveryList, in nanoseconds: Int64) {
        guard isExported else { return }
        let wall = SystemClock.glance().wall
        for index in deliveries.indices {
            let expiration = deliveries.expiration(index)
            count(expiration.origin)
            noteDelay(of: expiration, wall)
        }
        handlerTook(nanoseconds)
    }

    private func count(_ origin: ExpirationOrigin) {
        switch origin {
        case .live: live.increment()
        case .takeover: takenOver.increment()
        case .repair: repaired.increment()
        case .reconcile: reconciled.increment()
        }
    }

    func failed() {
        failures.increment()
        failureCount.wrappingAdd(1, ordering: .relaxed)
    }

    func failed(_ delivery: Delivery, _ error: String) {
        failed()
        let now = WallClock.milliseconds()
        ledger.failed(.failed, delivery, error, now: now)
        recent.note(
            .failed, recent.keys.text(delivery.key), node: delivery.node, "attempt \(delivery.attempt): \(error)",
            now: now)
    }

    var failedCount: UInt64 { failureCount.load(ordering: .relaxed) }
    func retried() { retries.increment() }
    func deadLettered() { deadLetters.increment() }
    func deadLettered(_ delivery: Delivery) {
        deadLettered()
        ledger.failed(.deadLettered, delivery, "", now: WallClock.milliseconds())
    }
    /// By a worker of a stream.
    func claimed(_ count: Int) { workClaimed.increment(by: Int64(count)) }
    func deletedUnhandled(_ count: Int) { workDeleted.increment(by: Int64(count)) }
    func refresh(_ worker: WorkerStatus, isReady: Bool) {
        running.record(worker.running)
        letters.record(worker.deadLetters.map(Double.init) ?? .nan)
        ready.record(isReady ? 1 : 0)
    }
    func reconcileScanned(_ count: Int) { replica?.companionsScanned.increment(by: Int64(count)) }
    func reconcileFound(_ count: Int) { replica?.companionsFound.increment(by: Int64(count)) }
    func streamed(_ answer: StreamAppend.Answer) {
        guard let replica else { return }
        replica.streamAppended.increment(by: Int64(clamping: answer.appended))
        replica.streamUncertain.increment(by: Int64(clamping: answer.uncertain))
        replica.lostByOthers.increment(by: Int64(clamping: answer.vanished))
        replica.lostByBound.increment(by: Int64(clamping: answer.unread))
    }
    func streamRefused() { replica?.streamRefusals.increment() }
    func streamRolledBack(again: UInt64, lost: UInt64) {
        replica?.streamAgain.increment(by: Int64(clamping: again))
        replica?.lostByFailover.increment(by: Int64(clamping: lost))
    }
    func handlerTook(_ nanoseconds: Int64) { handlerTime.recordNanoseconds(nanoseconds) }

    /// Once for each expiration whose deadline was known.
    func lagged(_ nanoseconds: Int64) { if isExported { replica?.lag.recordNanoseconds(nanoseconds) } }
    func nudged(_ node: NodeAddress, _ count: Int) { series(node) { $0.nudges.increment(by: Int64(count)) } }
    func predicted(_ node: NodeAddress, lag: Duration) { series(node) { $0.predictedLag.record(lag / .seconds(1)) } }
    func canaryReturned(_ node: NodeAddress, lag: Duration) { series(node) { $0.canaryLag.record(lag / .seconds(1)) } }
    func canaryAge(_ node: NodeAddress, _ age: Duration) { series(node) { $0.canaryAge.record(age / .seconds(1)) } }
    func canaryMissing(_ node: NodeAddress) { series(node) { $0.canaryMissing.increment() } }
    func deadlines(_ node: NodeAddress, kept: Int, uncovered: Int) {
        // One that has left for good is not brought back by its end.
        guard kept > 0 || uncovered > 0 || hasSeries(node) else { return }
        series(node) { series in
            series.deadlines.record(kept)
            series.uncovered.record(uncovered)
        }
    }

    func subscription(_ node: NodeAddress, up: Bool) {
        // One that has left for good is not brought back by its end.
        guard up || hasSeries(node) else { return }
        series(node) { $0.up.record(up ? 1 : 0) }
    }
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
        LapseMetrics.declared.transitions.counter(reason).increment()
    }

    /// Brings the gauges up to date.
    ///
    /// - Parameters:
    ///   - ages: for how long the oldest of each node that is not finished has waited.
    ///   - viewAge: how long ago a look at the topology succeeded.
    func refresh(
        _ status: ProcessorStatus, _ elector: ElectorState?, _ ages: [NodeAddress: Duration], viewAge: Duration,
        isReady: Bool
    ) {
        ready.record(isReady ? 1 : 0)
        replica?.topologyAge.record(viewAge / .seconds(1))
        replica?.paused.record(status.pause == nil ? 0 : 1)
        letters.record(status.deadLetters.map(Double.init) ?? .nan)
        for node in status.nodes {
            guard let address = NodeAddress(node.address) else { continue }
            series(address) { series in
                series.received.increment(by: Int64(node.received - min(node.received, series.seenReceived)))
                series.seenReceived = node.received
                if node.isSubscribed { series.up.record(node.isSilent ? 0 : 1) }
                series.entries.record(node.logEntries)
                series.bytes.record(node.logBytes)
                series.backlog.record(node.backlog)
                series.oldest.record((ages[address] ?? .zero) / .seconds(1))
                for (gauge, state) in zip(series.account, (node.account ?? NodeAccount()).states) {
                    gauge.record(state.count)
                }
            }
        }
        replica?.leader.record(status.isLeader ? 1 : 0)
        replica?.term.record(status.term)
        replica?.leaseRemaining.record(status.leaseRemaining / .seconds(1))
        running.record(status.inFlight)
        guard let elector else { return }
        replica?.domains.record(elector.failureDomains ?? elector.registers.count)
        let registers = status.registers
        for (state, count) in [
            ("ok", registers.ok), ("lost", registers.lost), ("unreachable", registers.unreachable),
            ("unknown", registers.unknown),
        ] { LapseMetrics.declared.leaseRegisters.gauge(state).record(count) }
        let isNew = lastRenewal.withLock { last in
            defer { last = elector.lastRenewal }
            return last != elector.lastRenewal
        }
        if isNew, let took = elector.lastRenewal { replica?.renewTime.record(duration: took) }
    }

    /// The nodes that have series.
    var addresses: Set<NodeAddress> { nodes.withLock { Set($0.keys) } }

    /// Ends the series of nodes that have left for good.
    func forget(_ gone: Set<NodeAddress>) {
        let left = nodes.withLock { nodes in gone.compactMap { nodes.removeValue(forKey: $0) } }
        for series in left { series.destroy() }
    }

    /// Nodes have other addresses now, each former one with its present one: their series go on there.
    func follow(_ moved: [NodeAddress: NodeAddress]) {
        homes.withLock { $0 = moved }
        for (former, home) in moved {
            guard let left = nodes.withLock({ $0.removeValue(forKey: former) }) else { continue }
            // What was received is a sum over logs, which have moved.
            series(home) { $0.seenReceived = max($0.seenReceived, left.seenReceived) }
            left.destroy()
        }
    }

    private func hasSeries(_ address: NodeAddress) -> Bool { addresses.contains(home(of: address)) }

    private func home(of address: NodeAddress) -> NodeAddress { homes.withLock { $0[address] } ?? address }

    private func series(_ address: NodeAddress, _ body: (inout NodeSeries) -> Void) {
        let node = home(of: address)
        nodes.withLock { nodes in
            var series = nodes[node] ?? NodeSeries("\(node)")
            body(&series)
            nodes[node] = series
        }
    }
}
