import Lapse
import LapseHandlers
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Listens to every node of a deployment, as it changes, and prints what they announce.
final class ExpirationTail: Sendable {
    private let access: RedisAccess
    private let configuration: ProcessorConfiguration
    private let format: TailLine.Format
    private let filter: KeyFilter
    private let databases: [Int]
    private let logger: Logger
    private let queue = TailQueue()
    private let members = Mutex<Set<NodeAddress>>([])
    private struct Work {
        var task: Task<Void, any Error>?
        var isStopped = false
        var failure: Failure?
        /// Reads whose lines found no place, since stdout was not read.
        var dropped = 0
    }

    private let work = Mutex(Work())

    init(_ access: RedisAccess, _ configuration: ProcessorConfiguration, format: TailLine.Format, logger: Logger) {
        self.access = access
        self.configuration = configuration
        self.format = format
        self.logger = logger
        databases = configuration.databases.isEmpty ? [access.deployment.database ?? 0] : configuration.databases
        filter = KeyFilter(match: configuration.match, ignore: configuration.ignore, databases: databases)
    }

    /// Lets ``run()`` return, soon after what was heard is printed.
    func stop() { end(because: nil) }

    private func end(because failure: Failure?) {
        queue.finish()
        let task = work.withLock { work in
            work.isStopped = true
            work.failure = work.failure ?? failure
            return work.task
        }
        task?.cancel()
    }

    /// Prints until stopped.
    ///
    /// - Throws: ``Failure`` when Redis is not reached, or not everything could be printed.
    @concurrent
    func run() async throws {
        let output = LineOutput(
            onBroken: { [weak self] broken in self?.end(because: Failure(broken)) },
            onStalled: { [logger] stall in
                logger.warning("stdout is not read", metadata: ["seconds": .stringConvertible(stall.seconds)])
            })
        // Two tasks, both awaited below: a reader that stands still stops the printing, not the listening.
        let listening = Task { try await listen() }
        let printing = Task {
            for await batch in queue.lines {
                try await output.write(batch)
                queue.printed(batch)
            }
        }
        let isStopped = work.withLock { work in
            work.task = listening
            return work.isStopped
        }
        if isStopped { listening.cancel() }
        let heard = await listening.result
        // What was heard is printed soon or not at all: the reader may never come back.
        let limit = Task {
            try await Task.sleep(for: .seconds(2))
            printing.cancel()
        }
        let printed = await printing.result
        limit.cancel()
        let (failure, dropped) = work.withLock { ($0.failure, $0.dropped) }
        if let failure { throw failure }
        if case .failure = printed { throw Self.unread }
        guard dropped == 0 else { throw Self.unread }
        try heard.get()
    }

    private static let unread = Failure(.internal, "stdout was not read: not every expiration could be printed")

    private func drop(_ node: String) {
        let isFirst = work.withLock { work in
            work.dropped += 1
            return work.dropped == 1
        }
        guard isFirst else { return }
        logger.warning("stdout is too slow: expirations are not printed", metadata: ["node": "\(node)"])
    }

    private func listen() async throws {
        defer { queue.finish() }
        try await access.check(configuration, try await access.discover(within: nil))
        await withDiscardingTaskGroup { group in
            group.addTask { await self.access.watch.run() }
            let bell = Doorbell(on: access.loop)
            while !Task.isCancelled {
                for address in newcomers() { group.addTask { await self.follow(address) } }
                if await bell.wait(upTo: .milliseconds(100)) == .cancelled { break }
            }
            group.cancelAll()
        }
    }

    /// Whether a node is known by this very address: one that it had before leads to it for longer.
    private func isPresent(_ address: NodeAddress) -> Bool {
        access.watch.current?.node(at: address)?.address == address
    }

    private func newcomers() -> [NodeAddress] {
        let present = access.watch.current?.nodes.map(\.address) ?? []
        return members.withLock { members in present.filter { members.insert($0).inserted } }
    }

    /// Listens to one node for as long as it belongs to the deployment.
    private func follow(_ address: NodeAddress) async {
        defer { members.withLock { _ = $0.remove(address) } }
        // No connection rings it: one that has ended must not cut the wait short.
        let pause = Doorbell(on: access.loop)
        var reconnection = Reconnection(enough: .seconds(1))
        var told: String?
        var isDeaf = false
        while !Task.isCancelled, isPresent(address) {
            do throws(RedisError) {
                let bell = Doorbell(on: access.loop)
                let receiver = TailReceiver(node: "\(address)", filter: filter, format: format, bell: bell) {
                    [weak self] batch in self?.put(batch, from: address)
                }
                let subscription = try await subscribe(receiver, to: address)
                told = nil
                reconnection.begins(now: SystemClock.read().monotonic)
                await watchOver(subscription, receiver, bell, &isDeaf)
                reconnection.ends(now: SystemClock.read().monotonic)
                subscription.close()
                if !Task.isCancelled { logger.warning("subscription lost", metadata: ["node": "\(address)"]) }
            } catch {
                if told != error.description {
                    told = error.description
                    logger.warning("not subscribed", metadata: ["node": "\(address)", "error": "\(error.text)"])
                }
            }
            if await pause.wait(upTo: reconnection.next()) == .cancelled { return }
        }
    }

    private func put(_ batch: [UInt8], from address: NodeAddress) {
        if !queue.put(batch) { drop("\(address)") }
    }

    private func subscribe(
        _ receiver: TailReceiver, to address: NodeAddress
    ) async throws(RedisError) -> Subscription {
        let channels = databases.map { "__keyevent@\($0)__:expired" }
        let subscription = try await Subscription.open(
            to: address, settings: access.deployment.settings, channels: channels, on: access.loop
        ) { _ in .success(receiver) }
        logger.debug("subscribed", metadata: ["node": "\(address)"])
        return subscription
    }

    /// Returns when the subscription has ended, its node has left, or answers elsewhere and not here.
    ///
    /// - Parameter isDeaf: a silence has been told, and its end has not.
    private func watchOver(
        _ subscription: Subscription, _ receiver: TailReceiver, _ bell: Doorbell, _ isDeaf: inout Bool
    ) async {
        let isClosed = Mutex(false)
        subscription.closed.whenComplete { _ in
            isClosed.withLock { $0 = true }
            bell.ring()
        }
        let node = subscription.address
        var watch = FeedWatch(patience: 3)
        while !isClosed.withLock({ $0 }), isPresent(node) {
            let isSilent = receiver.isSilent
            if isSilent != isDeaf {
                isDeaf = isSilent
                watch.silenceChanged()
                if isSilent {
                    logger.warning("the node is silent: nothing of it is printed", metadata: ["node": "\(node)"])
                } else {
                    logger.notice("the node is heard again", metadata: ["node": "\(node)"])
                }
            }
            if isSilent, await answers(node),
                watch.answersElsewhere(hasHeard: receiver.takeHeard(), hasSpoken: true) == .dead
            {
                return
            }
            if await bell.wait(upTo: .seconds(1)) == .cancelled { return }
        }
    }

    /// On the connection for commands.
    private func answers(_ node: NodeAddress) async -> Bool {
        (try? await access.nodes[node].send(RESPCommand("PING"), timeout: .seconds(1))) != nil
    }
}
