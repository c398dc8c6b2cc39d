import Lapse
import Logging
import NIOCore
import RedisClient
import Synchronization

/// Listens to every node of a deployment, as it changes, and prints what they announce.
final class ExpirationTail: Sendable {
    private let access: RedisAccess
    private let format: TailLine.Format
    private let filter: KeyFilter
    private let databases: [Int]
    private let logger: Logger
    private let lines: AsyncStream<[UInt8]>
    private let sink: AsyncStream<[UInt8]>.Continuation
    private let members = Mutex<Set<NodeAddress>>([])
    private let work = Mutex<(task: Task<Void, any Error>?, isStopped: Bool)>((nil, false))

    init(_ access: RedisAccess, _ configuration: ProcessorConfiguration, format: TailLine.Format, logger: Logger) {
        self.access = access
        self.format = format
        self.logger = logger
        databases = configuration.databases.isEmpty ? [access.deployment.database ?? 0] : configuration.databases
        filter = KeyFilter(match: configuration.match, ignore: configuration.ignore, databases: databases)
        // One element for each read, so the bound is on memory, not on the pace.
        (lines, sink) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(65_536))
    }

    /// Lets ``run()`` return.
    func stop() {
        sink.finish()
        let task = work.withLock { work in
            work.isStopped = true
            return work.task
        }
        task?.cancel()
    }

    /// Prints until stopped, or until nobody reads any more.
    @concurrent
    func run() async throws {
        let listening = Task { try await listen() }
        let isStopped = work.withLock { work in
            work.task = listening
            return work.isStopped
        }
        if isStopped { listening.cancel() }
        let output = LineOutput()
        for await batch in lines {
            do {
                try await output.write(batch)
            } catch is LineOutput.Broken {
                break
            }
        }
        listening.cancel()
        try await listening.value
    }

    private func listen() async throws {
        defer { sink.finish() }
        _ = try await access.discover(within: nil)
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

    private func newcomers() -> [NodeAddress] {
        let present = access.watch.current?.nodes.map(\.address) ?? []
        return members.withLock { members in present.filter { members.insert($0).inserted } }
    }

    /// Listens to one node for as long as it belongs to the deployment.
    private func follow(_ address: NodeAddress) async {
        defer { members.withLock { _ = $0.remove(address) } }
        let bell = Doorbell(on: access.loop)
        var backoff = Backoff()
        var told: String?
        while !Task.isCancelled, access.watch.current?.node(at: address) != nil {
            do throws(RedisError) {
                let subscription = try await subscribe(to: address)
                told = nil
                backoff.reset()
                await watchOver(subscription, bell)
                subscription.close()
                if !Task.isCancelled { logger.warning("subscription lost", metadata: ["node": "\(address)"]) }
            } catch {
                if told != error.description {
                    told = error.description
                    logger.warning("not subscribed", metadata: ["node": "\(address)", "error": "\(error.text)"])
                }
            }
            if await bell.wait(upTo: backoff.next()) == .cancelled { return }
        }
    }

    private func subscribe(to address: NodeAddress) async throws(RedisError) -> Subscription {
        let channels = databases.map { "__keyevent@\($0)__:expired" }
        let subscription = try await Subscription.open(
            to: address, settings: access.deployment.settings, channels: channels, on: access.loop
        ) { [sink, filter, format, logger] _ in
            .success(
                TailReceiver(node: "\(address)", filter: filter, format: format) { batch in
                    if case .dropped = sink.yield(batch) {
                        logger.warning(
                            "stdout is too slow: expirations are not printed", metadata: ["node": "\(address)"])
                    }
                })
        }
        logger.debug("subscribed", metadata: ["node": "\(address)"])
        return subscription
    }

    /// Returns when the subscription has ended or its node has left.
    private func watchOver(_ subscription: Subscription, _ bell: Doorbell) async {
        let isClosed = Mutex(false)
        subscription.closed.whenComplete { _ in
            isClosed.withLock { $0 = true }
            bell.ring()
        }
        while !isClosed.withLock({ $0 }), access.watch.current?.node(at: subscription.address) != nil {
            if await bell.wait(upTo: .seconds(1)) == .cancelled { return }
        }
    }
}
