package import RedisClient
import Synchronization

/// All logs of this replica, one for each node process it has heard.
package final class LogSet: Sendable {
    private struct Shelf {
        /// In the order in which their nodes were met.
        var all: [NodeLog] = []
        var ofProcess: [String: NodeLog] = [:]

        mutating func add(_ log: NodeLog) {
            all.append(log)
            ofProcess[log.runID] = log
        }

        mutating func removeAll(where isOver: (NodeLog) -> Bool) {
            let left = all.filter { !isOver($0) }
            guard left.count < all.count else { return }
            self = Shelf()
            for log in left { add(log) }
        }
    }

    private struct Met {
        var runID: String
        /// When it was last listened to there, in milliseconds since 1970; nil while its log tells.
        var endedAt: UInt64?
        /// How long it had been running when a feed of this replica met it, and when that was.
        var uptime: Duration?
        var metAt: UInt64 = 0
    }

    /// Shared with what relieves the budget.
    private final class SharedShelf: Sendable {
        private let shelf = Mutex(Shelf())

        func withLock<T: Sendable>(_ body: (inout Shelf) -> T) -> T { shelf.withLock { body(&$0) } }
    }

    private let shelf: SharedShelf
    /// Which process was last met where.
    private let met = Mutex<[NodeAddress: Met]>([:])
    private let wallClock = Mutex(WallClockJumps())
    /// By process.
    private let ages = Mutex<[String: LogAge]>([:])
    private let limitBytes: Int
    private let limitAge: Duration
    private let chunkBytes: Int?
    package let budget: LogBudget
    /// What the logs have let go; nil where nothing is to be told of it.
    package let shed: ShedChunks?
    /// Others may tell of this many processes: more than any deployment has.
    private static let limit = 4096

    /// - Parameters:
    ///   - limitBytes: of one log.
    ///   - totalBytes: of all logs together. Past it the largest ones lose their oldest.
    ///   - chunkBytes: how many bytes of keys share a chunk, which is trimmed as a whole; nil for what
    ///     suits the limit.
    ///   - shed: where goes what the logs let go.
    package init(
        limitBytes: Int, limitAge: Duration, totalBytes: Int = .max, chunkBytes: Int? = nil, shed: ShedChunks? = nil
    ) {
        self.shed = shed
        self.chunkBytes = chunkBytes
        self.limitBytes = limitBytes
        self.limitAge = limitAge
        let shelf = SharedShelf()
        self.shelf = shelf
        budget = LogBudget(limit: totalBytes) { [weak shelf] target in
            let logs = shelf?.withLock { $0.all } ?? []
            let held = logs.map(\.footprint)
            let level = LogBudget.level(of: held, within: target)
            for (log, held) in zip(logs, held) where held > level { log.trim(toFootprint: level) }
        }
    }

    /// A log, or all of them together, is at three quarters of its bound: more would soon push out what
    /// waits.
    package var isNearlyFull: Bool {
        let isFull = all.contains { $0.counts.bytes > limitBytes / 4 * 3 }
        return isFull || budget.held > budget.limit / 4 * 3
    }

    /// In the order in which their nodes were met.
    package var all: [NodeLog] { shelf.withLock { $0.all } }

    package subscript(runID: String) -> NodeLog? { shelf.withLock { $0.ofProcess[runID] } }

    /// The logs of the processes met at one address.
    package func logs(at address: NodeAddress) -> [NodeLog] { all.filter { $0.address == address } }

    /// The log of a node process, begun when it is new: one for each process, whatever addresses lead to
    /// it.
    ///
    /// - Parameters:
    ///   - uptime: how long the process has been running; nil when that is not known.
    ///   - now: milliseconds since 1970.
    package func log(of runID: String, at address: NodeAddress, uptime: Duration? = nil, now: UInt64 = 0) -> NodeLog {
        shelf.withLock { shelf in
            let before = met.withLock { met in
                let before = met[address]
                met[address] = Met(runID: runID, uptime: uptime, metAt: now)
                return before
            }
            if let log = shelf.ofProcess[runID] {
                if log.address != address, !log.isSubscribed { log.move(to: address) }
                return log
            }
            let former = before.flatMap { $0.runID == runID ? nil : $0 }
            let isSuccessor = former.map { former in
                let log = shelf.ofProcess[former.runID]
                return Self.hasRestarted(log.map(\.endedAt) ?? former.endedAt, uptime, now)
            }
            let log = NodeLog(
                runID: runID, address: address, limitBytes: limitBytes, limitAge: limitAge,
                isSuccessor: isSuccessor ?? false, budget: budget, chunkBytes: chunkBytes, shed: shed)
            shelf.add(log)
            return log
        }
    }

    /// The log of a process for a feed that is about to fill it; nil while another feed does, at another
    /// address.
    ///
    /// - Parameter nodeID: in a cluster: the process' log goes where that node is.
    package func claim(
        _ runID: String, of nodeID: String? = nil, at address: NodeAddress, uptime: Duration?, now: UInt64
    ) -> NodeLog? {
        let log = log(of: runID, at: address, uptime: uptime, now: now)
        guard log.claim() else { return nil }
        log.belongs(to: nodeID)
        return log
    }

    /// Whether a process began after the one before it was last listened to: then everything that it
    /// announced is owed. One that had been running before, to which a name has moved, owes nothing of its
    /// past.
    private static func hasRestarted(_ endedAt: UInt64?, _ uptime: Duration?, _ now: UInt64) -> Bool {
        guard let uptime else { return true }
        guard let endedAt else { return false }
        // It is told in whole seconds, and the end of the one before may have been noticed late.
        let age = UInt64(clamping: uptime.components.seconds).multipliedReportingOverflow(by: 1000)
        let began = age.overflow ? 0 : now - min(now, age.partialValue)
        return began + 10_000 >= endedAt
    }

    /// The processes of which something is kept.
    package var kept: [HeardProcess] {
        all.filter { $0.counts.entries > 0 }.map { HeardProcess(runID: $0.runID, node: $0.node) }
    }

    /// What replicas have found to be missing from processes' counters (see ``Numbering``): the next mark
    /// tells what follows.
    package func adopt(bases: [String: UInt64]) {
        for (runID, base) in bases { self[runID]?.adopt(base: Int64(clamping: base)) }
    }

    /// Begins logs for processes that only others heard: what those announced is owed too.
    ///
    /// - Parameter now: milliseconds since 1970.
    package func learn(of processes: [HeardProcess], now: UInt64) {
        for process in processes {
            guard let address = NodeAddress(process.node) else { continue }
            shelf.withLock { shelf in
                guard shelf.ofProcess[process.runID] == nil, shelf.all.count < Self.limit else { return }
                // What was met by oneself is the later word.
                let present = met.withLock { met in
                    defer { met[address] = met[address] ?? Met(runID: process.runID, endedAt: now) }
                    return met[address]
                }
                // It took the place of this one, and was met before this one was known of.
                if let present, let log = shelf.ofProcess[present.runID], log.isSubscribed,
                    Self.hasRestarted(now, present.uptime, present.metAt)
                {
                    log.owesEverything()
                }
                let log = NodeLog(
                    runID: process.runID, address: address, limitBytes: limitBytes, limitAge: limitAge, budget: budget,
                    chunkBytes: chunkBytes, shed: shed)
                log.subscriptionEnded(now: now)
                shelf.add(log)
            }
        }
    }

    /// The processes whose progress is needed no more: this replica has nothing of theirs, and listens to
    /// their successor at the same address, or the address has not belonged to the deployment for long.
    ///
    /// - Parameter isAbsent: whether a node, `host:port`, has been away for so long.
    package func replaced(_ progress: [String: Progress], isAbsent: (String) -> Bool = { _ in false }) -> [String] {
        let all = all
        let known = Set(all.map(\.runID))
        let listening = Set(all.filter(\.isSubscribed).map(\.node))
        return progress.values.filter {
            !known.contains($0.runID) && (listening.contains($0.node) || isAbsent($0.node))
        }.map(\.runID)
    }

    /// A process that is met at the node's new address is the successor of the one met at its former one.
    func moved(from former: NodeAddress, to address: NodeAddress, _ runID: String) {
        met.withLock { met in
            guard met[address] == nil, let before = met[former], before.runID == runID else { return }
            met[address] = before
        }
    }

    /// Forgets the processes met at addresses that have left for good.
    func forget(_ addresses: Set<NodeAddress>) {
        met.withLock { met in
            for address in addresses { met[address] = nil }
        }
    }

    /// Drops what is too old, and the empty logs of processes that are gone.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - monotonic: the same moment by the monotonic clock: what came before the wall clock was put
    ///     forward is not older for it.
    package func tidy(now: UInt64, monotonic: Duration) {
        let ahead = wallClock.withLock { $0.ahead(now, monotonic, for: limitAge) }
        let now = now - min(now, ahead)
        let logs = all
        ages.withLock { ages in
            let known = Set(logs.map(\.runID))
            ages = ages.filter { known.contains($0.key) }
            for log in logs {
                let aged = ages[log.runID, default: LogAge()].aged(log.lastOrdinal, now: monotonic, limit: limitAge)
                log.trimAged(now: now, through: aged)
            }
        }
        let age = UInt64(max(limitAge.components.seconds, 1)) * 1000
        shelf.withLock { shelf in
            let ended = shelf.all.compactMap { log in log.endedAt.map { (log.address, log.runID, $0) } }
            shelf.removeAll { $0.isOver(now: now, after: age) }
            met.withLock { met in
                for (address, runID, at) in ended where met[address]?.runID == runID { met[address]?.endedAt = at }
            }
        }
    }
}
