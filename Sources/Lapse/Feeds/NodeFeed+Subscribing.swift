import LeaderElectionRedis
import Logging
import NIOCore
import RedisClient
import Synchronization
import Timing

/// How a feed begins and ends.
extension NodeFeed {
    func subscribe() async throws(RedisError) -> (Subscription, FeedSink) {
        let process: MetProcess
        do throws(RedisError) {
            process = try await MetProcess.meet(command, dependencies.watch.current, known: met.withLock { $0 })
        } catch {
            current.withLock { $0.awaits = nil }
            throw error
        }
        met.withLock { $0 = (process.runID, process.databases) }
        let databases = DatabaseCount.heard(of: process.databases, wanted: dependencies.databases)
        let channels = databases.map(EventChannel.name) + [ElectionKeys.channel(dependencies.name)]
        let made = Mutex<FeedSink?>(nil)
        let isHeld = Mutex(false)
        let subscription: Subscription
        do throws(RedisError) {
            subscription = try await Subscription.open(
                to: address, settings: dependencies.settings, channels: channels, on: dependencies.loops.next()
            ) { [dependencies, address, bell] runID in
                guard runID == process.runID else { return .failure(Self.twoServers(address, runID, process.runID)) }
                guard let log = dependencies.claim(process, at: address) else {
                    isHeld.withLock { $0 = true }
                    let other = dependencies.logs[runID]?.node ?? ""
                    return .failure(
                        RedisError(.otherServer, node: address, "the same server as \(other), which is listened to"))
                }
                let sink = FeedSink(log: log, listeners: dependencies.listeners, bell: bell)
                made.withLock { $0 = sink }
                return .success(sink)
            }
        } catch {
            made.withLock { $0 }?.log.subscriptionEnded(now: WallClock.milliseconds())
            let isHeld = isHeld.withLock { $0 }
            current.withLock { status in
                status.awaits = isHeld ? process.runID : nil
                if isHeld { status.refusals += 1 }
            }
            // Both names are looked up anew; not where the right process answers, and others have commands in
            // flight to it.
            if error.kind == .otherServer, !isHeld { command.reconnect() }
            throw error
        }
        guard let sink = made.withLock({ $0 }) else {
            throw RedisError(.closed, node: address, "the subscription ended at once")
        }
        subscription.closed.whenComplete { [bell] _ in bell.ring() }
        self.sink.withLock { $0 = sink }
        dependencies.numbers.inform(sink.log)
        current.withLock { status in
            status = Status(isSubscribed: true, runID: subscription.runID, nodeID: process.nodeID)
        }
        dependencies.metrics.subscription(home, up: true)
        dependencies.listeners.subscribed()
        logger.info("subscribed", metadata: ["node": "\(address)", "runId": "\(subscription.runID)"])
        return (subscription, sink)
    }

    private static func twoServers(_ address: NodeAddress, _ one: String, _ other: String) -> RedisError {
        RedisError(.otherServer, node: address, "two servers answer at this address: \(one) and \(other)")
    }

    func ended(_ sink: FeedSink, _ reason: String) {
        self.sink.withLock { $0 = nil }
        sink.log.subscriptionEnded(now: WallClock.milliseconds())
        current.withLock { status in
            status.isSubscribed = false
            status.error = reason
        }
        dependencies.metrics.subscription(home, up: false)
        logger.log(
            level: isOver ? .info : .warning, isOver ? "subscription ended" : "subscription lost",
            metadata: ["node": "\(address)", "reason": "\(reason)"])
    }

    /// How it stands at this moment: what listens may be waiting for an answer that does not come.
    var standing: FeedPlan.Standing {
        let status = status
        guard status.isSubscribed, let sink = sink.withLock({ $0 }) else {
            return status.awaits.map { .waiting(for: $0, refusals: status.refusals) } ?? .away
        }
        guard sink.isSilent else { return .subscribed }
        return .silent(holding: sink.hasSpoken ? nil : status.runID)
    }
}
