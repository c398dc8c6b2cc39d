package import RedisClient
import Synchronization

/// All logs of this replica, one for each node process it has heard.
package final class LogBook: Sendable {
    private struct Shelf {
        /// In the order in which their nodes were met.
        var all: [NodeLog] = []
        var ofProcess: [String: [NodeLog]] = [:]
        var atAddress: [NodeAddress: [NodeLog]] = [:]

        mutating func add(_ log: NodeLog) {
            all.append(log)
            ofProcess[log.runID, default: []].append(log)
            atAddress[log.address, default: []].append(log)
        }

        mutating func removeAll(where isOver: (NodeLog) -> Bool) {
            let left = all.filter { !isOver($0) }
            guard left.count < all.count else { return }
            self = Shelf()
            for log in left { add(log) }
        }
    }

    /// Shared with what relieves the budget.
    private final class SharedShelf: Sendable {
        private let shelf = Mutex(Shelf())

        func withLock<T: Sendable>(_ body: (inout Shelf) -> T) -> T { shelf.withLock { body(&$0) } }
    }

    private let shelf: SharedShelf
    /// Which process was last met where.
    private let met = Mutex<[NodeAddress: String]>([:])
    private let wallClock = Mutex(WallClockJumps())
    private let limitBytes: Int
    private let limitAge: Duration
    package let budget: LogBudget
    /// Others may tell of so many processes: more than any deployment has.
    private static let limit = 4096

    /// - Parameters:
    ///   - limitBytes: of one log.
    ///   - totalBytes: of all logs together. Past it the largest ones lose their oldest.
    package init(limitBytes: Int, limitAge: Duration, totalBytes: Int = .max) {
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

    /// In the order in which their nodes were met.
    package var all: [NodeLog] { shelf.withLock { $0.all } }

    package subscript(runID: String) -> NodeLog? { shelf.withLock { $0.ofProcess[runID]?.first } }

    /// The logs of the processes met at one address.
    func logs(at address: NodeAddress) -> [NodeLog] { shelf.withLock { $0.atAddress[address] ?? [] } }

    /// The log of a node process, begun when it is new.
    package func log(of runID: String, at address: NodeAddress) -> NodeLog {
        shelf.withLock { shelf in
            if let log = shelf.ofProcess[runID]?.first(where: { $0.address == address }) { return log }
            let before = met.withLock { $0.updateValue(runID, forKey: address) }
            let log = NodeLog(
                runID: runID, address: address, limitBytes: limitBytes, limitAge: limitAge,
                isSuccessor: before != nil && before != runID, budget: budget)
            shelf.add(log)
            return log
        }
    }

    /// The processes of which something is kept.
    package var kept: [HeardProcess] {
        all.filter { $0.counts.entries > 0 }.map { HeardProcess(runID: $0.runID, node: $0.node) }
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
                met.withLock { met in met[address] = met[address] ?? process.runID }
                let log = NodeLog(
                    runID: process.runID, address: address, limitBytes: limitBytes, limitAge: limitAge, budget: budget)
                log.subscriptionEnded(now: now)
                shelf.add(log)
            }
        }
    }

    /// The processes whose progress nobody needs any more: this replica has nothing of theirs, and listens to their
    /// successor at the same address.
    package func replaced(_ progress: [String: Progress]) -> [String] {
        let all = all
        let known = Set(all.map(\.runID))
        let listening = Set(all.filter(\.isSubscribed).map { "\($0.address)" })
        return progress.values.filter { !known.contains($0.runID) && listening.contains($0.node) }.map(\.runID)
    }

    /// Drops what is too old, and the empty logs of processes that are gone.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - monotonic: the same moment by a clock that nobody sets: what came before the wall clock was put forward is not
    ///     older for it.
    package func tidy(now: UInt64, monotonic: Duration) {
        let ahead = wallClock.withLock { $0.ahead(now, monotonic, for: limitAge) }
        let now = now - min(now, ahead)
        for log in all { log.trimAged(now: now) }
        let age = UInt64(max(limitAge.components.seconds, 1)) * 1000
        shelf.withLock { $0.removeAll { $0.isOver(now: now, after: age) } }
    }
}
