import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Makes one master announce the expirations of one database on time: carries out what its machine
/// decides.
///
/// Hints come on one connection, questions, nudges and pages of keys go over another: neither the feed
/// nor the lease waits behind them.
final class PunctualNode: Sendable {
    /// What all nodes share.
    struct Dependencies: Sendable {
        /// False where sweeps alone make the servers punctual.
        var tracks: Bool
        var filter: KeyFilter
        /// For SCAN; nil scans for all and picks out here.
        var pattern: String?
        /// By database.
        var directories: [UInt16: NodeDirectory]
        var hintSettings: ConnectionSettings
        var loop: any EventLoop
        var watch: TopologyWatch
        /// The server's `notify-keyspace-events`; nil while unknown.
        var notifications: @Sendable (NodeAddress) -> String?
        /// The process whose feed is listened to; nil while none is.
        var process: @Sendable (NodeAddress) -> String?
        /// Their keys are asked for like those that are wanted.
        var canaries: Canaries?
        var metrics: ProcessorMetrics
        var logger: Logger
    }

    let address: NodeAddress
    let database: UInt16
    let machine: Mutex<PunctualMachine>
    let dependencies: Dependencies
    let askBell: Doorbell
    let nudgeBell: Doorbell
    let sweepBell: Doorbell
    let hintBell: Doorbell
    let pace = Mutex(SweepPace())
    let oversizedLine = Mutex(LineLimit(every: .seconds(60)))
    let client: NodeClient
    private let clockBell: Doorbell
    private let isStopped = Atomic(false)
    private let hasComplained = Atomic(false)
    /// Takes a key to the node that a redirection names; false when that is not known.
    private let redirect: @Sendable (_ place: Int, Redirection, PunctualNode) -> Bool

    init?(
        _ address: NodeAddress, database: UInt16, bytes: Int, _ dependencies: Dependencies,
        redirect: @escaping @Sendable (_ place: Int, Redirection, PunctualNode) -> Bool
    ) {
        guard let directory = dependencies.directories[database] else { return nil }
        self.address = address
        self.database = database
        self.dependencies = dependencies
        self.redirect = redirect
        client = directory[address]
        machine = Mutex(PunctualMachine(bytes: bytes))
        askBell = Doorbell(on: dependencies.loop)
        nudgeBell = Doorbell(on: dependencies.loop)
        sweepBell = Doorbell(on: dependencies.loop)
        hintBell = Doorbell(on: dependencies.loop)
        clockBell = Doorbell(on: dependencies.loop)
    }

    var filter: KeyFilter { dependencies.filter }
    var isOver: Bool { Task.isCancelled || isStopped.load(ordering: .relaxed) }
    var now: Int64 { SystemClock.glance().monotonic }

    /// The node is no master any more.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        for bell in [askBell, nudgeBell, sweepBell, hintBell, clockBell] { bell.ring() }
    }

    /// It owns slots that were another master's.
    func receivedSlots() {
        pace.withLock { $0.wantArrivals() }
        sweepBell.ring()
    }

    /// It keeps deadlines that it did not ask for itself.
    func wake() {
        askBell.ring()
        nudgeBell.ring()
    }

    /// Works until stopped or cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            // All end with the node, and the group awaits them.
            group.addTask { await self.keepClock() }
            group.addTask { await self.sweep() }
            guard dependencies.tracks else { return }
            group.addTask { await self.work(self.nudgeBell) { $0.nextNudges(now: $1) } }
            group.addTask { await self.work(self.askBell) { $0.nextQuestions(now: $1) } }
            group.addTask { await self.listen() }
        }
    }

    // MARK: - Questions and nudges

    private func work(
        _ bell: Doorbell, _ next: @Sendable (inout PunctualMachine, _ now: Int64) -> PunctualMachine.Step
    ) async {
        while !isOver {
            let now = now
            let (step, pipeline) = machine.withLock { machine in
                let step = next(&machine, now)
                guard case .send(let batch) = step else { return (step, RESPPipeline?.none) }
                return (step, machine.encode(batch))
            }
            switch step {
            case .wait(let until):
                let wait = until.map { Duration.nanoseconds(max($0 - now, 0)) }
                if await bell.wait(upTo: wait) == .cancelled { return }
            case .send(let batch): if let pipeline { await exchange(batch, pipeline) }
            }
        }
    }

    private func exchange(_ batch: PunctualMachine.Batch, _ pipeline: RESPPipeline) async {
        let sent = now
        do throws(RedisError) {
            let replies = try await client.send(pipeline, to: identity)
            let heard = now
            // What it kept is being handed over.
            if isOver { return }
            let (outcome, isAwaited) = machine.withLock { machine in
                if !batch.isAbsolute { machine.checked(replies.first, asked: sent, heard: heard) }
                let answers = replies.dropFirst(batch.isAbsolute ? 0 : 1)
                let outcome = machine.answered(
                    batch, answers, at: batch.isAbsolute ? nil : replies.first, sent: sent,
                    now: heard)
                return (outcome, machine.takeAwaited())
            }
            if isAwaited { askBell.ring() }
            if batch.kind == .nudge { dependencies.metrics.nudged(address, batch.places.count) }
            for (place, redirection) in outcome.redirected where !redirect(place, redirection, self) {
                machine.withLock { $0.putOff(place, heard) }
            }
            if !outcome.redirected.isEmpty { dependencies.watch.refreshSoon() }
            if outcome.hasNews || !outcome.redirected.isEmpty { nudgeBell.ring() }
            if let refusal = outcome.refusal { refused(refusal) }
        } catch {
            if isOver { return }
            machine.withLock { $0.failed(batch, now: now) }
            nudgeBell.ring()
        }
    }

    var identity: ServerIdentity? { dependencies.watch.current?.identity(at: address) }

    func refused(_ error: RESPError) {
        guard !hasComplained.exchange(true, ordering: .relaxed) else { return }
        dependencies.logger.error(
            "cannot be punctual: refused",
            metadata: [
                "node": "\(address)", "error": "\(RedisError(error, node: address))",
                "fix": "give the user the rights that lapse doctor --acl --punctual track prints",
            ])
    }

    // MARK: - The server's clock

    private static let interval = Duration.milliseconds(500)
    /// Changes nothing, but waits while writes are paused: then overdue keys are told to be gone, and are
    /// not announced.
    static let write = RESPCommand("EVAL", "return 0", "0")
    /// Questions at the start: each narrows down what is known.
    private static let atFirst = 8

    private func keepClock() async {
        var isGreeted = false
        var turn = 0
        while !isOver {
            let greeting = isGreeted ? [] : [RESPCommand("INFO", "server")]
            let asked = now
            do throws(RedisError) {
                let replies = try await client.send(greeting + [RESPCommand("TIME"), Self.write], to: identity)
                let heard = now
                if !isGreeted, let info = replies.first {
                    let version = infoField("redis_version", in: info).flatMap { Int($0.prefix { $0 != "." }) } ?? 0
                    machine.withLock { $0.greeted(major: version) }
                    isGreeted = true
                }
                let refusals = replies.suffix(2).compactMap(\.error).filter { Redirection($0) == .none }
                if let refusal = refusals.first { refused(refusal) }
                // A user that may not write cannot tell whether writes are paused: a key that is gone is believed, or
                // it would be asked about for ever.
                let mayNotWrite = replies.last?.error?.code == "NOPERM"
                if replies.last?.int == 0 || mayNotWrite { machine.withLock { $0.wroteAt = asked } }
                if let time = ServerClock.nanoseconds(replies.dropLast().last) {
                    machine.withLock { $0.told(time, asked: asked, heard: heard) }
                    nudgeBell.ring()
                }
                turn += 1
            } catch {
                isGreeted = false
                turn = 0
            }
            let wait = turn > 0 && turn < Self.atFirst ? .milliseconds(5) : Self.interval
            if await clockBell.wait(upTo: wait) == .cancelled { return }
        }
    }
}
