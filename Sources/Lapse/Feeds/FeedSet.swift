import LeaderElection
import NIOCore
import RedisClient
import Synchronization
import Timing

/// One feed for every node of the deployment, replicas included: they come, go, and change roles at run
/// time.
///
/// A replica announces nothing until it is promoted, and then at once: a feed that listens beforehand
/// misses nothing.
final class FeedSet: Sendable {
    private struct State {
        var feeds: [NodeAddress: NodeFeed] = [:]
        var plan = FeedPlan()
    }

    private let dependencies: FeedDependencies
    private let state = Mutex(State())
    private let bell: Doorbell

    init(_ dependencies: FeedDependencies) {
        self.dependencies = dependencies
        self.bell = Doorbell(on: dependencies.control)
    }

    /// There has been a look at the topology.
    func looked() { bell.ring() }

    /// Every feed looks now, so that forged messages are told from real ones before a successor goes by
    /// this replica's numbers. Returns after `limit` at the latest.
    func check(within limit: Duration) async {
        let feeds = state.withLock { Array($0.feeds.values) }
        await withDiscardingTaskGroup { group in
            // At once, so that the limit is that of all; the group awaits them.
            for feed in feeds { group.addTask { await feed.check(within: limit) } }
        }
    }

    /// The feed of one process looks now and marks its stream, for a replica that is about to number it
    /// anew.
    func check(_ runID: String, within limit: Duration) async {
        let feed = state.withLock { Array($0.feeds.values) }.first { $0.status.runID == runID }
        await feed?.check(within: limit, marking: true)
    }

    /// The feeds' states, by address.
    var statuses: [NodeAddress: NodeFeed.Status] { state.withLock { $0.feeds.mapValues(\.status) } }

    /// Keeps the feeds in step with the topology until cancelled.
    ///
    /// - Returns: why not, when at the start no node lets this user subscribe: only an operator can mend
    ///   that.
    func run() async -> RedisError? {
        await withDiscardingTaskGroup { group in
            var refusal: RedisError?
            while !Task.isCancelled, refusal == nil {
                let now = SystemClock.read().monotonic
                // One for each node, as long as it is there; the group cancels and awaits them.
                for feed in reconcile(now: now) {
                    group.addTask {
                        await feed.run()
                        self.ended()
                    }
                }
                dependencies.logs.tidy(now: WallClock.milliseconds(), monotonic: now)
                if await bell.wait(upTo: .seconds(1)) == .cancelled { break }
                refusal = refusedEverywhere()
            }
            group.cancelAll()
            return refusal
        }
    }

    /// Once one node has let this user in, a refusal is that node's own, and the others go on.
    private func refusedEverywhere() -> RedisError? {
        let statuses = statuses.values
        // A run ID is known of a node that was listened to.
        guard statuses.allSatisfy({ $0.runID == nil && $0.error != nil }) else { return nil }
        return statuses.lazy.compactMap(\.refusal).first
    }

    /// A feed at another address of the same process may have waited for the end of this one.
    private func ended() {
        for feed in state.withLock({ Array($0.feeds.values) }) where !feed.status.isSubscribed { feed.bell.ring() }
    }

    /// Returns the feeds to start.
    private func reconcile(now: Duration) -> [NodeFeed] {
        guard let topology = dependencies.watch.current else { return [] }
        return state.withLock { state in
            let step = state.plan.step(topology, state.feeds.mapValues(\.standing), now: now)
            for address in step.closes { state.feeds.removeValue(forKey: address)?.stop() }
            return step.opens.map { address in
                let feed = NodeFeed(address: address, dependencies: dependencies)
                state.feeds[address] = feed
                return feed
            }
        }
    }
}
