import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Sets the canaries of one master, and tells of those that do not come back.
final class CanaryNode: Sendable {
    struct Dependencies: Sendable {
        /// The election's.
        var name: String
        var interval: Duration
        var patience: Duration
        /// Connections of their own: while writes are paused nothing else waits behind a SET.
        var directory: NodeDirectory
        var loop: any EventLoop
        var watch: TopologyWatch
        /// The run ID of the server that a feed listens to at this address; nil while it does not.
        var process: @Sendable (NodeAddress) -> String?
        var metrics: ProcessorMetrics
        var logger: Logger
    }

    private struct State {
        var machine: CanaryMachine
        /// What is awaited.
        var key: [UInt8] = []
        var tag: String?
        var failures = LineLimit(every: .seconds(60))
        /// One after the other.
        var failed = 0
    }

    let address: NodeAddress
    private let dependencies: Dependencies
    private let client: NodeClient
    private let state: Mutex<State>
    private let bell: Doorbell
    private let isStopped = Atomic(false)
    /// An answer is a number or `OK`: later than this it is of no use.
    private static let timeout = Duration.seconds(2)
    /// This number of failures in a row is no passing trouble.
    private static let lasting = 3

    init(_ address: NodeAddress, _ dependencies: Dependencies) {
        self.address = address
        self.dependencies = dependencies
        client = dependencies.directory[address]
        bell = Doorbell(on: dependencies.loop)
        let machine = CanaryMachine(
            interval: dependencies.interval, patience: dependencies.patience, now: SystemClock.read().monotonic)
        state = Mutex(State(machine: machine))
    }

    var isMissing: Bool { state.withLock { $0.machine.isMissing } }

    /// The node is no master any more.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        bell.ring()
    }

    func awaits(_ key: RawSpan) -> Bool { state.withLock { $0.machine.isAway && key.equals($0.key) } }

    /// A key of Lapse's own has expired. On the feed's event loop.
    func heard(_ key: RawSpan) {
        let now = SystemClock.read().monotonic
        let heard = state.withLock { state in key.equals(state.key) ? state.machine.heard(now: now) : nil }
        guard let heard else { return }
        dependencies.metrics.canaryReturned(address, lag: heard.lag)
        dependencies.logger.debug(
            "canary came back",
            metadata: ["node": "\(address)", "lag-ms": .stringConvertible(Int(heard.lag / .milliseconds(1)))])
        tell(heard.news)
        bell.ring()
    }

    /// Works until stopped or cancelled.
    func run() async {
        while !Task.isCancelled, !isStopped.load(ordering: .relaxed) {
            let now = SystemClock.read().monotonic
            let process = dependencies.process(address)
            let (step, news) = state.withLock { $0.machine.next(process: process, now: now) }
            tell(news)
            dependencies.metrics.canaryAge(address, state.withLock { $0.machine.age(now) })
            switch step {
            case .wait(let until):
                // The age is looked at each second.
                if await bell.wait(upTo: min(max(until - now, .zero), .seconds(1))) == .cancelled { return }
            case .arm: await arm()
            case .ask: await ask()
            }
        }
    }

    /// Takes away what is still awaited: the term ends, and when it expires no replica may be listening.
    func withdraw() async {
        let key = state.withLock { state -> [UInt8]? in
            defer { state.key = [] }
            return state.machine.isAway && !state.key.isEmpty ? state.key : nil
        }
        guard let key else { return }
        var command = RESPCommand("DEL")
        command.append(key)
        _ = try? await client.send([command], to: identity, timeout: .milliseconds(100))
    }

    private var identity: ServerIdentity? { dependencies.watch.current?.identity(at: address) }

    private func arm() async {
        guard let tag = tag() else { return failed("no slot of this node is known") }
        let key = "{\(tag)}:\(dependencies.name):canary:\(UInt64.random(in: .min ... .max))"
        // Before it is set: it may expire before the answer is here.
        state.withLock { $0.key = Array(key.utf8) }
        let life = Int(CanaryMachine.life / .milliseconds(1))
        do throws(RedisError) {
            let command = RESPCommand("SET", key, "", "PX", "\(life)")
            let reply = try await client.send([command], to: identity, timeout: Self.timeout).first
            guard let error = reply?.error else { return state.withLock { $0.failed = 0 } }
            failed("\(RedisError(error, node: address))", isRefused: Redirection(error) == .none)
        } catch {
            failed("\(error)")
        }
    }

    private func ask() async {
        var command = RESPCommand("PTTL")
        command.append(state.withLock { $0.key })
        // Whether it is there does not matter: only what is heard counts.
        _ = try? await client.send([command], to: identity, timeout: Self.timeout)
    }

    /// - Parameter isRefused: by the server's own decision. What only did not arrive may at the next one:
    ///   it is told when it lasts.
    private func failed(_ error: String, isRefused: Bool = false) {
        let now = SystemClock.read().monotonic
        if !isRefused { dependencies.watch.refreshSoon() }
        let isNews = state.withLock { state in
            state.machine.failed(isRefused: isRefused, now: now)
            state.failed += 1
            return (isRefused || state.failed >= Self.lasting) && state.failures.happened(now: now) != nil
        }
        guard isNews else { return }
        dependencies.logger.warning(
            "canary cannot be set: nothing proves now that expirations are heard",
            metadata: ["node": "\(address)", "error": "\(error)"])
    }

    /// A hash tag whose slot this master owns now, as Lapse's own keys have.
    private func tag() -> String? {
        guard let topology = dependencies.watch.current else { return nil }
        if let tag = state.withLock({ $0.tag }), topology.owner(of: HashSlot.of(tag))?.address == address { return tag }
        let tag = topology.ownTag(of: address)
        state.withLock { $0.tag = tag }
        return tag
    }

    private func tell(_ news: CanaryMachine.News?) {
        switch news {
        case nil: return
        case .lost: dependencies.metrics.canaryMissing(address)
        case .missing:
            dependencies.metrics.canaryMissing(address)
            dependencies.logger.error(
                "canary missing: expirations of this node may not be heard",
                metadata: ["node": "\(address)", "fix": "lapse doctor"])
        case .returned:
            dependencies.logger.notice(
                "canary is back: expirations of this node are heard again", metadata: ["node": "\(address)"])
        }
    }
}

extension Topology {
    /// The most tags that are tried: of a master with a single slot every 16 384th one is its own.
    private static let tagLimit = 200_000

    /// The first hash tag of Lapse's own keys whose slot a master owns.
    func ownTag(of address: NodeAddress) -> String? {
        guard let node = node(at: address), node.slotCount > 0 else { return nil }
        for number in 0..<Self.tagLimit {
            let tag = "lapse-\(number)"
            if owner(of: HashSlot.of(tag))?.address == address { return tag }
        }
        return nil
    }
}
