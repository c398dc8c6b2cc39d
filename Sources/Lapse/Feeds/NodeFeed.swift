import LeaderElection
import LeaderElectionRedis
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// What all feeds share.
struct FeedDependencies: Sendable {
    var name: String
    var id: String
    var settings: ConnectionSettings
    /// Where subscriptions are listened to.
    var loops: any EventLoopGroup
    /// Where everything else about a feed is done: to wait elsewhere would wake two threads for each look.
    var control: any EventLoop
    var commands: NodeDirectory
    var watch: TopologyWatch
    var logs: LogSet
    var listeners: FeedSink.Listeners
    var notifications: Notifications.Policy
    /// The databases whose expirations are wanted.
    var databases: [Int] = []
    /// Class `g` is wanted too.
    var wantsHints: Bool
    /// How an operator's redis-cli gets in.
    var login = RedisLogin()
    /// What the group knows of a process' numbers.
    var numbers: NumberExchange
    /// A look has settled what was in doubt: the dispatcher may go on.
    var settled: @Sendable (TopologyPoll) -> Void
    /// How long a node that answers elsewhere may leave the feed's ping unanswered.
    var idleTimeout: Duration = .seconds(3)
    /// Something makes the servers announce in time.
    var isPunctual = false
    var metrics: ProcessorMetrics
    var logger: Logger
}

/// The subscription to one node, kept alive as long as the node belongs to the deployment.
///
/// It listens, marks and verifies; what it hears goes to the ``FeedSink``. Nothing here
/// waits for a handler: a feed is never held back.
final class NodeFeed: Sendable {
    struct Status: Sendable {
        var isSubscribed = false
        var isSilent = false
        /// Nil while unknown (CONFIG refused).
        var notifications: String?
        var error: String?
        /// The server refuses this user the subscription.
        var refusal: RedisError?
        var runID: String?
        /// In a cluster.
        var nodeID: String?
        /// The process that answers here, while another feed fills its log.
        var awaits: String?
        /// How often this feed was turned away for that.
        var refusals = 0
    }

    let address: NodeAddress
    let dependencies: FeedDependencies
    let bell: Doorbell
    let command: NodeClient
    private let inspector: NodeInspector
    private let forecast: LagForecast
    let current = Mutex(Status())
    /// Where what is heard goes; nil while nothing is.
    let sink = Mutex<FeedSink?>(nil)
    private let stopped = Mutex(false)
    private let leaving: Doorbell
    /// Rung when a look is over that began after they were put here.
    private let awaiting = Mutex<[(done: Doorbell, marking: Bool)]>([])
    /// The process last met here, and how many databases it has.
    let met = Mutex<(runID: String, databases: Int)?>(nil)
    private static let looks = SharedTick(every: .seconds(1))
    var logger: Logger { dependencies.logger }

    init(address: NodeAddress, dependencies: FeedDependencies) {
        self.address = address
        self.dependencies = dependencies
        self.bell = Doorbell(on: dependencies.control)
        self.leaving = Doorbell(on: dependencies.control)
        self.command = dependencies.commands[address]
        forecast = LagForecast(address: address, dependencies)
        self.inspector = NodeInspector(
            address: address, command: command, policy: dependencies.notifications,
            wantsHints: dependencies.wantsHints, login: dependencies.login,
            channel: ElectionKeys.channel(dependencies.name), logger: dependencies.logger)
    }

    var status: Status { current.withLock { $0 } }

    /// Ends ``run()`` soon, whatever it waits for.
    func stop() {
        stopped.withLock { $0 = true }
        leaving.ring()
    }

    /// Looks now, and marks the stream if more was heard than the node has counted, or in any case. Returns
    /// when that is done, or after `limit`.
    func check(within limit: Duration, marking: Bool = false) async {
        guard current.withLock({ $0.isSubscribed && !$0.isSilent }) else { return }
        let done = Doorbell(on: bell.loop)
        awaiting.withLock { $0.append((done, marking)) }
        bell.ring()
        _ = await done.wait(upTo: limit)
    }

    func run() async {
        await withTaskGroup { group in
            // Cancelled by the other: it may be waiting for an address at which nothing answers any more. The
            // group awaits both.
            group.addTask { await self.serve() }
            group.addTask { _ = await self.leaving.wait() }
            _ = await group.next()
            group.cancelAll()
        }
    }

    private func serve() async {
        // A feed that is cut is to be back at once. One that lives for a second cannot be opened more than
        // once in it.
        var reconnection = Reconnection(enough: .seconds(1))
        var told: String?
        var toldAt = ContinuousClock.now
        while !isOver {
            do throws(RedisError) {
                let (subscription, sink) = try await subscribe()
                reconnection.begins(now: monotonic)
                told = nil
                let reason = await listen(subscription, sink)
                reconnection.ends(now: monotonic)
                subscription.close()
                try? await subscription.closed.get()
                ended(sink, reason)
                if sink.log.openSilence != nil, await !settle(sink.log, attempts: 3) { abandon(sink.log) }
            } catch {
                current.withLock { status in
                    status.error = error.description
                    status.refusal = error.isPermanent ? error : nil
                }
                // Once, and again each minute: a refusal that lasts must not go silent.
                if !isOver, told != error.text || ContinuousClock.now > toldAt + .seconds(60) {
                    told = error.text
                    toldAt = .now
                    logger.warning("subscription lost", metadata: ["node": "\(address)", "reason": "\(error.text)"])
                }
            }
            if isOver { break }
            let due = monotonic + reconnection.next()
            // The bell may still ring for the connection that is gone: then the next one is opened at once, unless
            // that one was cut soon.
            while await bell.wait(upTo: due - monotonic) == .rung, reconnection.isShortLived, !isOver {}
        }
    }

    var monotonic: Duration { SystemClock.read().monotonic }

    var isOver: Bool { Task.isCancelled || stopped.withLock { $0 } }

    /// Why, once it is.
    private var end: String { stopped.withLock { $0 } ? "the node has left" : "shutting down" }

    // MARK: - Listening

    /// Watches over the subscription until it must end; returns why.
    private func listen(_ subscription: Subscription, _ sink: FeedSink) async -> String {
        let isGone = Mutex(false)
        subscription.closed.whenComplete { [bell] _ in
            isGone.withLock { $0 = true }
            bell.ring()
        }
        var watch = FeedWatch(patience: Int(dependencies.idleTimeout.components.seconds))
        var wasSilent = false
        let nodeID = status.nodeID
        // A silence that could not be settled at once.
        var lookedInto: Int?
        var flags = FlagsWatch()
        // Looks that said nothing of a mark that was heard.
        var unconfirmed = 0
        // A replica that heard the process all the while knows of resets and forged messages that this replica
        // missed.
        var isNewcomer = sink.log.counts.last == nil
        if isNewcomer { sink.log.awaitPeers() } else { await dependencies.numbers.ask(about: sink.log) }
        while true {
            if isGone.withLock({ $0 }) { return "the server closed the connection" }
            if isOver { return end }
            if isReassigned(nodeID) { return "another node has this address now" }
            if watch.isMarkDue(now: monotonic, isProvisional: sink.log.isProvisional) {
                await mark(subscription, sink, &watch, &flags)
            }
            // After the first mark: a counter that was reset tells so for a moment only, and peers that died
            // answer late.
            if isNewcomer, !watch.isFirstMark {
                isNewcomer = false
                await dependencies.numbers.ask(about: sink.log)
                sink.log.peersWereAsked()
                dependencies.listeners.appended()
                if sink.log.isProvisional { await mark(subscription, sink, &watch, &flags) }
            }
            if isGone.withLock({ $0 }) { continue }
            let isSilent = sink.isSilent
            current.withLock { $0.isSilent = isSilent }
            if isSilent != wasSilent {
                wasSilent = isSilent
                watch.silenceChanged()
                logger.notice(
                    isSilent ? "subscription silent" : "subscription answers again", metadata: ["node": "\(address)"])
                dependencies.metrics.subscription(home, up: !isSilent)
            }
            for log in logs(beside: sink.log) where log.openSilence != nil {
                guard log === sink.log else {
                    abandon(log)
                    continue
                }
                // As soon as it speaks again: its pong may be far behind what it has to say.
                if !isSilent || sink.hasSpoken {
                    _ = await settle(log, attempts: log.openSilence == lookedInto ? 3 : 50)
                    lookedInto = log.openSilence
                }
            }
            let awaiting = awaiting.withLock { bells in
                defer { bells = [] }
                return bells
            }
            let before = sink.log.counts.last
            let floor = sink.log.floor
            let openClaims = sink.log.openClaims
            let finding = await inspector.look(at: subscription.runID)
            if finding.isOtherServer { return "another server answers at this address" }
            flags.looked(areFine: finding.notifications.map(Notifications.suffice) ?? false)
            current.withLock { $0.notifications = finding.notifications }
            settleMarks(
                of: sink.log, heard: openClaims, counter: finding.counter, flagsWereFine: flags.wereFine,
                unanswered: &unconfirmed)
            watch.looked(mended: finding.mended)
            if let counter = finding.counter, let before, let now = sink.log.counts.last, !isSilent {
                let announced = Int64(counter) + sink.log.base
                sink.log.saw(counter: counter, floor: floor)
                watch.saw(announced: announced, before: before, now: now)
            }
            let hasHeard = sink.takeHeard()
            if isSilent, finding.answered {
                switch watch.answersElsewhere(hasHeard: hasHeard, hasSpoken: sink.hasSpoken) {
                case .unknown: break
                case .connection: if let silence = sink.log.openSilence { sink.log.acquit(silence) }
                case .dead: return "no answer to a ping"
                }
            }
            let isAskedToMark = awaiting.contains(where: \.marking) && watch.mayMarkForPeer(now: monotonic)
            let isProvisional = sink.log.isProvisional
            if !awaiting.isEmpty,
                isAskedToMark || watch.isMarkDue(now: monotonic, isProvisional: isProvisional, isAwaited: true)
            {
                await mark(subscription, sink, &watch, &flags)
            }
            for (done, _) in awaiting { done.ring() }
            await forecast.look(at: subscription.runID)
            if await bell.wait(for: Self.looks) == .cancelled { return end }
        }
    }
}
