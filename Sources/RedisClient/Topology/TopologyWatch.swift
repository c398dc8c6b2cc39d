package import Logging
package import NIOCore
import RESP
import Synchronization
import Timing

/// Keeps the view of the servers fresh: it looks about every second, and at once after
/// ``refreshSoon()``.
///
/// A demoted master keeps its subscribers' sockets open and falls silent, so the topology is polled,
/// not inferred from errors.
package final class TopologyWatch: Sendable {
    private struct State {
        var poll: TopologyPoll?
        var discovery: (any Discovery)?
        var doubts: Set<NodeAddress> = []
        /// Looks in a row for which a node has been in doubt.
        var doubted: [NodeAddress: Int] = [:]
        var waiters: [CheckedContinuation<TopologyPoll?, Never>] = []
        var looks = 0
        /// When the last look ended that succeeded, by the monotonic clock.
        var seenAt: Duration?
        /// Why the last look did not succeed, or not in full.
        var trouble: RedisError?
        /// A cluster that elects a master, or Sentinels that restart, may leave looks unanswered for seconds.
        var failing = LastingTrouble(patience: .seconds(10))
        var ended = false
        /// What has been said of aliases and outsiders; said once.
        var told: Set<String> = []
    }

    package let seeds: RedisSeeds
    private let nodes: NodeDirectory
    private let sentinels: NodeDirectory
    private let bell: Doorbell
    private let logger: Logger
    private let state = Mutex(State())
    private let interval: Duration
    /// How many looks in a row one doubt may hurry.
    private static let haste = 10
    private let onLook = Mutex<(@Sendable (TopologyPoll) -> Void)?>(nil)

    package init(
        seeds: RedisSeeds, nodes: NodeDirectory, sentinels: NodeDirectory, interval: Duration = .seconds(1),
        on loop: any EventLoop, logger: Logger
    ) {
        self.seeds = seeds
        self.nodes = nodes
        self.sentinels = sentinels
        self.interval = interval
        self.bell = Doorbell(on: loop)
        self.logger = logger
    }

    /// The last view; nil before the first look succeeded.
    package var current: Topology? { state.withLock { $0.poll?.topology } }

    /// The same with the number of the look that it is from.
    package var latest: TopologyPoll? { state.withLock { $0.poll } }

    /// Why the last look did not succeed, or had to do with what the servers say of themselves.
    package var trouble: RedisError? { state.withLock { $0.trouble } }

    /// What readiness says once that has lasted for so long that it was told.
    package var troubleReason: String? {
        let trouble = state.withLock { $0.failing.isTold ? $0.trouble : nil }
        return trouble.map { "the topology cannot be looked at: \($0)" }
    }

    /// How old the view is: how long ago a look succeeded. Nil before the first one did.
    ///
    /// - Parameter now: by the monotonic clock.
    package func age(now: Duration) -> Duration? { state.withLock { $0.seenAt }.map { max(.zero, now - $0) } }

    /// How many looks have begun: the number of the next.
    package var looks: Int { state.withLock { $0.looks } }

    /// Calls the listener after every look that succeeded, before the tasks that wait for it.
    package func onEachLook(_ listener: @escaping @Sendable (TopologyPoll) -> Void) {
        onLook.withLock { $0 = listener }
    }

    /// Asks for a look soon: something did not fit the view.
    package func refreshSoon() { bell.ring() }

    /// The same, and the next look asks this node too. A doubt that lasts waits for the looks that are made
    /// anyway.
    package func refreshSoon(doubting doubted: NodeAddress) {
        let isNew = state.withLock { state in
            state.doubts.insert(doubted)
            return state.doubted[doubted, default: 0] < Self.haste
        }
        if isNew { bell.ring() }
    }

    /// Looks until cancelled. ``discover()`` comes first.
    package func run() async {
        while await bell.wait(upTo: interval * Double.random(in: 0.9..<1.1)) != .cancelled {
            do throws(RedisError) {
                try await look()
            } catch {
                logger.debug("topology unknown", metadata: ["error": "\(error)"])
            }
            tellWhetherLooksFail()
            // A storm of surprises costs one look each 20 ms, no more.
            if await Doorbell(on: bell.loop).wait(upTo: .milliseconds(20)) == .cancelled { break }
        }
        let left = state.withLock { state in
            defer { state.waiters = [] }
            state.ended = true
            return state.waiters
        }
        answer(left, nil)
    }

    /// A look that begins after this call, with `doubted` and a majority asked. Nil when it fails.
    package func refresh(doubting doubted: NodeAddress? = nil) async -> TopologyPoll? {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if !state.ended { state.waiters.append(continuation) }
                if let doubted { state.doubts.insert(doubted) }
                return state.ended
            }
            if ended { continuation.resume(returning: nil) } else { bell.ring() }
        }
    }

    /// The first look, which also finds the mode when it is `auto`.
    @discardableResult
    package func discover() async throws(RedisError) -> Topology {
        let mode = try await findMode()
        let discovery: any Discovery =
            switch mode {
            case .cluster:
                ClusterDiscovery(
                    seeds: seeds.addresses, nodes: nodes, map: seeds.map, useHostNames: seeds.useHostNames)
            case .standalone: StandaloneDiscovery(seeds: seeds.addresses, nodes: nodes, map: seeds.map)
            case .sentinel:
                SentinelDiscovery(
                    sentinels: seeds.addresses, masterName: seeds.masterName, sentinelNodes: sentinels, nodes: nodes,
                    map: seeds.map)
            }
        state.withLock { $0.discovery = discovery }
        return try await look()
    }

    /// An address that a redirection names, made reachable: a redirection may name a node by its IP address
    /// where connections go to its host name, and the reverse. Nil for a node that is not known yet, where
    /// only the topology tells its name.
    package func reachable(_ address: NodeAddress, announcedBy source: NodeAddress) -> NodeAddress? {
        let address = address.host.isEmpty ? NodeAddress(host: source.host, port: address.port) : address
        if let node = current?.node(announcedAs: address) { return node.address }
        let mapped = seeds.map(address)
        return seeds.useHostNames && mapped == address ? nil : mapped
    }

    private func findMode() async throws(RedisError) -> Topology.Mode {
        if let mode = seeds.mode { return mode }
        return try DeploymentKind.agreed(
            try await askAll(seeds.addresses, nodes, DeploymentKind.questions, timeout: nil))
    }

    @discardableResult
    private func look() async throws(RedisError) -> Topology {
        let (discovery, known, doubts, waiters, turn) = state.withLock { state in
            defer {
                let before = state.doubted
                state.doubted = [:]
                for doubt in state.doubts { state.doubted[doubt] = before[doubt, default: 0] + 1 }
                state.doubts = []
                state.waiters = []
                state.looks += 1
            }
            return (state.discovery, state.poll?.topology, state.doubts, state.waiters, state.looks)
        }
        guard let discovery else { throw RedisError(.noNode, node: nil, "the servers have not been discovered yet") }
        do throws(RedisError) {
            var poll = try await discovery.look(known: known, doubts: doubts, turn: turn)
            poll.number = turn
            let now = SystemClock.read().monotonic
            state.withLock { state in
                (state.poll, state.trouble) = (poll, poll.trouble)
                if poll.trouble == nil { state.seenAt = now }
            }
            report(poll)
            onLook.withLock { $0 }?(poll)
            answer(waiters, poll)
            return poll.topology
        } catch {
            state.withLock { $0.trouble = error }
            answer(waiters, nil)
            throw error
        }
    }

    /// Says that looks fail, once that lasts.
    ///
    /// What listens and works goes on meanwhile, so that nothing else shows it: a new master is not found,
    /// and what comes after a silence of a node waits for proof of its role.
    private func tellWhetherLooksFail() {
        let now = SystemClock.read().monotonic
        let (step, trouble) = state.withLock { ($0.failing.look($0.trouble != nil, now: now), $0.trouble) }
        switch step {
        case .tell:
            logger.warning(
                "topology cannot be looked at: roles and slots are as last seen",
                metadata: [
                    "error": "\(trouble?.description ?? "")",
                    "ageSeconds": .stringConvertible(age(now: now)?.components.seconds ?? 0),
                ])
        case .over: logger.notice("topology is looked at again")
        case .nothing: break
        }
    }

    /// Says once which addresses lead to one server, and which servers do not belong here.
    private func report(_ poll: TopologyPoll) {
        for (alias, address) in poll.topology.aliases where isNews("\(alias)=\(address)") {
            logger.notice("two addresses lead to one server", metadata: ["node": "\(address)", "alias": "\(alias)"])
        }
        for outsider in poll.outsiders where isNews("\(outsider.address) \(outsider.id)") {
            var metadata: Logger.Metadata = [
                "node": "\(outsider.address)", "id": "\(outsider.id)", "reason": "\(outsider.reason)",
            ]
            if let expected = outsider.expected { metadata["expected"] = .stringConvertible(expected) }
            logger.error("not a member of the deployment: nothing it says counts", metadata: metadata)
        }
    }

    private func isNews(_ word: String) -> Bool {
        state.withLock { state in
            if state.told.count >= 256 { state.told = [] }
            return state.told.insert(word).inserted
        }
    }

    private func answer(_ waiters: [CheckedContinuation<TopologyPoll?, Never>], _ poll: TopologyPoll?) {
        for waiter in waiters { waiter.resume(returning: poll) }
    }
}

/// Where to begin looking.
package struct RedisSeeds: Sendable {
    package var addresses: [NodeAddress]
    /// Nil finds out.
    package var mode: Topology.Mode?
    package var masterName = "mymaster"
    package var map = AddressMap()
    /// Connect by announced host names: certificates carry names.
    package var useHostNames = false

    package init(addresses: [NodeAddress], mode: Topology.Mode? = nil) {
        self.addresses = addresses
        self.mode = mode
    }

    /// The first of them, for a line about all.
    package var summary: String {
        let named = addresses.prefix(3).map(\.description)
        let rest = addresses.count - named.count
        return named.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }
}
