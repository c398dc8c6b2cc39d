import LeaderElection
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Makes the servers announce expirations on time while this replica leads: one ``PunctualNode`` for
/// each master and database.
///
/// It never handles anything itself, and it creates no expiration: a nudge only asks for one that is
/// overdue.
final class Punctuality: Sendable {
    struct Place: Hashable, Sendable {
        var address: NodeAddress
        var database: UInt16
    }

    private let dependencies: PunctualNode.Dependencies
    private let bytes: Int
    private let bell: Doorbell
    private let executor: EventLoopTaskExecutor
    private let nodes = Mutex<[Place: PunctualNode]>([:])
    /// When the last look at the topology was over: the next one began later.
    private let lookedAt = Mutex<Int64>(.min)
    /// Whether expirations are to be told: read for each batch that any feed hears.
    private let isOpen = Atomic(false)

    /// - Parameter bytes: what the deadlines of all nodes may take.
    init(_ dependencies: PunctualNode.Dependencies, bytes: Int) {
        self.dependencies = dependencies
        self.bytes = bytes
        bell = Doorbell(on: dependencies.loop)
        executor = EventLoopTaskExecutor(dependencies.loop)
    }

    /// Works until cancelled, at the end of the term.
    func run() async {
        await withDiscardingTaskGroup { group in
            isOpen.store(dependencies.tracks, ordering: .releasing)
            var seen: Topology?
            repeat {
                guard let topology = dependencies.watch.current else { continue }
                let (new, left) = adjust(to: topology)
                // One for each master, so that one out of reach holds up no other; the group cancels and awaits them.
                for node in new { group.addTask(executorPreference: executor) { await node.run() } }
                // Not here: the progress is written on this thread, and a million keys take a second.
                for node in left { group.addTask(executorPreference: executor) { await self.handOver(node) } }
                if let seen { sweepArrivals(topology.receivers(since: seen)) }
                seen = topology
            } while await bell.wait(upTo: .seconds(1)) != .cancelled
            isOpen.store(false, ordering: .releasing)
            group.cancelAll()
        }
        let left = nodes.withLock { nodes in
            defer { nodes = [:] }
            return nodes
        }
        keepsNothing(left)
    }

    // MARK: - The masters

    /// There has been a look at the topology: which nodes are masters by their own word and that of the
    /// others?
    func looked(_ poll: TopologyPoll) {
        let now = SystemClock.glance().monotonic
        let begun = lookedAt.withLock { last in
            defer { last = now }
            return last
        }
        let masters = Set(poll.topology.masters.map(\.address))
        for (place, node) in nodes.withLock({ $0 })
        where masters.contains(place.address) && poll.settles(place.address) {
            node.machine.withLock { $0.confirmedAt = begun }
        }
        bell.ring()
    }

    /// Ends the nodes that are no masters any more.
    ///
    /// - Returns: the new nodes, and those that have left, with what they kept.
    private func adjust(to topology: Topology) -> (new: [PunctualNode], left: [PunctualNode]) {
        let wanted = topology.masters.flatMap { master in
            dependencies.directories.keys.map { Place(address: master.address, database: $0) }
        }
        let share = bytes / max(wanted.count, 1)
        let (new, left) = nodes.withLock { nodes in
            let left = nodes.filter { !wanted.contains($0.key) }
            for place in left.keys { nodes[place] = nil }
            let new = wanted.compactMap { place -> PunctualNode? in
                guard nodes[place] == nil else { return nil }
                let node = PunctualNode(place.address, database: place.database, bytes: share, dependencies) {
                    [weak self] in self?.redirect($0, $1, $2) ?? false
                }
                nodes[place] = node
                return node
            }
            for node in nodes.values { node.machine.withLock { $0.table.limit = share } }
            return (new, left)
        }
        for node in left.values { node.stop() }
        keepsNothing(left)
        return (new, Array(left.values))
    }

    /// Hints about what came with slots may have been missed where it came from.
    private func sweepArrivals(_ masters: Set<NodeAddress>) {
        guard dependencies.tracks, !masters.isEmpty else { return }
        for (place, node) in nodes.withLock({ $0 }) where masters.contains(place.address) { node.receivedSlots() }
    }

    /// Gauges that stood still would look like those of a node that is asked.
    private func keepsNothing(_ left: [Place: PunctualNode]) {
        for address in Set(left.keys.map(\.address)) {
            dependencies.metrics.deadlines(address, kept: 0, uncovered: 0)
        }
    }

    /// Gives what a node kept that is no master any more to the owners of the keys, as they are by now.
    private func handOver(_ node: PunctualNode) async {
        let machine = node.machine.withLock { $0 }
        var kept = HandOver(machine, now: node.now)
        while !Task.isCancelled, let topology = dependencies.watch.current {
            let slice = kept.next()
            guard !slice.isEmpty else { return }
            let owned = Dictionary(grouping: slice) { topology.owner(of: HashSlot.of($0.key))?.address }
            for (owner, keys) in owned {
                guard let owner, let other = nodes.withLock({ $0[Place(address: owner, database: node.database)] })
                else { continue }  // The sweep of its owner will find them.
                let now = node.now
                other.machine.withLock { machine in
                    for known in keys {
                        // Unsafe in name only: a byte has no padding.
                        machine.adopt(unsafe known.key.span.bytes, known, isImporting: false, now: now)
                    }
                }
                other.wake()
            }
            await Task.yield()
        }
    }

    /// A node has said that a key is another's.
    private func redirect(_ place: Int, _ redirection: Redirection, _ node: PunctualNode) -> Bool {
        let (target, isImporting): (NodeAddress?, Bool)
        switch redirection {
        case .moved(let address): (target, isImporting) = (address, false)
        case .ask(let address): (target, isImporting) = (address, true)
        default: return false
        }
        guard let target, let address = dependencies.watch.reachable(target, announcedBy: node.address),
            address != node.address,
            let other = nodes.withLock({ $0[Place(address: address, database: node.database)] }),
            let known = node.machine.withLock({ $0.release(place) })
        else { return false }
        let now = SystemClock.glance().monotonic
        // Unsafe in name only: a byte has no padding.
        other.machine.withLock {
            $0.adopt(unsafe known.key.span.bytes, known, isImporting: isImporting, now: now)
        }
        other.wake()
        return true
    }

    // MARK: - What the feeds hear

    /// Itself while a leader tracks deadlines.
    var whileOpen: Punctuality? { isOpen.load(ordering: .acquiring) ? self : nil }

    /// A feed has heard these, before they are added to its log. On the feed's event loop.
    ///
    /// - Returns: one for each, whatever is known: a stretch of log has deadlines or has none.
    func heard(_ run: borrowing MessageRun, database: UInt16, at address: NodeAddress) -> [KnownDeadline] {
        var deadlines = [KnownDeadline](repeating: .none, count: run.count)
        guard let node = node(at: address, database) else { return deadlines }
        let now = SystemClock.glance().monotonic
        let metrics = dependencies.metrics
        let isAwaited = node.machine.withLock { machine in
            let time = machine.clock.middle(now)
            var index = 0
            run.forEachPayload { key in
                defer { index += 1 }
                guard let deadline = machine.heard(key, now: now) else { return }
                let lag = max(0, time - deadline * 1_000_000)
                metrics.lagged(lag)
                let known = KnownDeadline(milliseconds: UInt64(clamping: deadline), lag: UInt64(lag / 1_000_000))
                deadlines[index] = known ?? .none
            }
            return machine.takeAwaited()
        }
        if isAwaited { node.askBell.ring() }
        return deadlines
    }

    private func node(at address: NodeAddress, _ database: UInt16) -> PunctualNode? {
        if let node = nodes.withLock({ $0[Place(address: address, database: database)] }) { return node }
        guard let main = dependencies.watch.current?.aliases[address] else { return nil }
        return nodes.withLock { $0[Place(address: main, database: database)] }
    }

    // MARK: - What is told

    struct Figures: Sendable {
        var kept = 0
        var bytes = 0
        var uncovered = 0
    }

    /// What each master's deadlines take, and what could not be kept since the last time.
    func takeFigures() -> [NodeAddress: Figures] {
        var figures: [NodeAddress: Figures] = [:]
        for (place, node) in nodes.withLock({ $0 }) {
            let (kept, bytes, uncovered) = node.machine.withLock { machine in
                defer { machine.uncovered = 0 }
                return (machine.table.count, machine.table.bytes, machine.uncovered)
            }
            figures[place.address, default: Figures()].kept += kept
            figures[place.address, default: Figures()].bytes += bytes
            figures[place.address, default: Figures()].uncovered += uncovered
        }
        return figures
    }
}
