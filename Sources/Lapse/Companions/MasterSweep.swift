import LeaderElection
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Sweeps one master for companions whose timer is gone, as its machine says.
final class MasterSweep: Sendable {
    /// What the sweeps of all masters share.
    struct Dependencies: Sendable {
        var companions: Companions
        /// By database.
        var directories: [UInt16: NodeDirectory]
        var dispatcher: Dispatcher
        var metrics: ProcessorMetrics
        var logger: Logger
    }

    let address: NodeAddress
    private let dependencies: Dependencies
    private let machine: Mutex<ReconcileMachine>
    private let bell: Doorbell
    private let isStopped = Atomic(false)
    private let hasComplained = Atomic(false)
    /// Keys that one SCAN looks at.
    private static let scanCount = "500"

    init(_ address: NodeAddress, _ dependencies: Dependencies, _ machine: ReconcileMachine, on loop: any EventLoop) {
        self.address = address
        self.dependencies = dependencies
        self.machine = Mutex(machine)
        bell = Doorbell(on: loop)
    }

    func want(_ reason: ReconcileMachine.Reason) {
        machine.withLock { $0.want(reason) }
        bell.ring()
    }

    /// The node is no master any more.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        bell.ring()
    }

    /// Sweeps until stopped or cancelled.
    func run() async {
        while !Task.isCancelled, !isStopped.load(ordering: .relaxed) {
            let step = machine.withLock { $0.next(now: SystemClock.read().monotonic) }
            switch step {
            case .wait(let time): if await bell.wait(upTo: time) == .cancelled { return }
            case .scan(let pass, let cursor): await scan(pass, cursor)
            case .look(let orphans): await look(orphans)
            }
        }
    }

    // MARK: - The first look

    private func scan(_ pass: ReconcileMachine.Pass, _ cursor: String) async {
        let pattern = dependencies.companions.rules.rules[pass.rule].companion.glob
        let scan = RESPCommand("SCAN", cursor, "MATCH", pattern, "COUNT", Self.scanCount, "TYPE", "string")
        guard let found = await send([scan], pass.database)?.first?.array, found.count == 2,
            let next = found[0].string, let keys = found[1].array
        else { return fail() }
        let orphans = keys.compactMap { suspect($0, pass) }
        guard let missing = await absent(orphans) else { return fail() }
        dependencies.metrics.reconcileScanned(keys.count)
        let report = machine.withLock {
            $0.scanned(keys.count, missing: missing, cursor: next, now: SystemClock.read().monotonic)
        }
        if let report { tell(report) }
    }

    /// A companion that was found, as an orphan to be; nil for one that was not asked for.
    private func suspect(_ reply: RESPValue, _ pass: ReconcileMachine.Pass) -> ReconcileMachine.Orphan? {
        guard let bytes = reply.bytes else { return nil }
        let companion = Array(bytes.readableBytesView)
        guard let timer = dependencies.companions.rules.rules[pass.rule].timer(of: companion),
            dependencies.companions.companion(of: timer) == companion,
            dependencies.dispatcher.filter.wants(timer, database: pass.database)
        else { return nil }
        return ReconcileMachine.Orphan(timer: timer, database: pass.database)
    }

    /// Those whose timer does not exist; asking makes Redis expire, and announce, one that is overdue. Nil
    /// without an answer.
    ///
    /// A redirection is no answer about that key: its slot is moving, and the sweep that follows a move
    /// will find it.
    private func absent(_ orphans: [ReconcileMachine.Orphan]) async -> [ReconcileMachine.Orphan]? {
        guard let database = orphans.first?.database else { return [] }
        let questions = orphans.map { orphan in
            var command = RESPCommand("EXISTS")
            command.append(orphan.timer)
            return command
        }
        guard let replies = await send(questions, database), replies.count == orphans.count else { return nil }
        let answers = zip(orphans, replies)
        dependencies.companions.areSet(answers.filter { $1.int == 1 }.map(\.0))
        return answers.filter { $1.int == 0 }.map(\.0)
    }

    // MARK: - The second look

    private func look(_ orphans: [ReconcileMachine.Orphan]) async {
        for (_, group) in Dictionary(grouping: orphans, by: \.database) {
            guard let missing = await absent(group) else {
                putBack(group)
                continue
            }
            let now = WallClock.milliseconds()
            let offered = missing.map { orphan in
                Delivery(orphan, at: "\(address)", now: now)
            }
            let refused = dependencies.dispatcher.update { $0.offer(offered) }
            dependencies.metrics.reconcileFound(offered.count - refused.count)
            putBack(refused.map { ReconcileMachine.Orphan(timer: $0.key.bytes, database: $0.database) })
        }
    }

    private func putBack(_ orphans: [ReconcileMachine.Orphan]) {
        machine.withLock { $0.putBack(orphans, now: SystemClock.read().monotonic) }
    }

    // MARK: - The server

    private func send(_ commands: [RESPCommand], _ database: UInt16) async -> [RESPValue]? {
        guard let directory = dependencies.directories[database] else { return nil }
        let node = directory[address]
        let answer = await unlessCancelled { try? await node.send(commands) }
        guard let replies = answer ?? nil else { return nil }
        // A node that has just come back refuses for a while (CLUSTERDOWN, LOADING). That is no answer about
        // any key: taken for one, its orphans would be passed over until the next interval.
        if replies.contains(where: { $0.error.map { Redirection($0) == .retry } ?? false }) { return nil }
        let refusal = replies.lazy.compactMap(\.error).first { Redirection($0) == .none }
        guard let refusal else {
            hasComplained.store(false, ordering: .relaxed)
            return replies
        }
        if !hasComplained.exchange(true, ordering: .relaxed) {
            dependencies.logger.error(
                "reconciliation refused",
                metadata: ["node": "\(address)", "error": "\(RedisError(refusal, node: address))"])
        }
        return nil
    }

    private func fail() { machine.withLock { $0.failed(now: SystemClock.read().monotonic) } }

    private func tell(_ report: ReconcileMachine.Report) {
        dependencies.logger.log(
            level: report.suspected > 0 || report.reason != .interval ? .info : .debug, "companions swept",
            metadata: [
                "node": "\(address)", "reason": "\(report.reason.rawValue)",
                "scanned": .stringConvertible(report.scanned),
                "withoutTimer": .stringConvertible(report.suspected),
            ])
    }
}
