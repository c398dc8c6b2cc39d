import LeaderElection
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Proves while this replica leads that what expires is heard: on each master a key of Lapse's own is
/// set now and then, and must come back through the feed. With `--punctual track` it takes the same way
/// as any key that is wanted.
///
/// It handles nothing: the keys are Lapse's own in every account.
final class Canaries: Sendable {
    private let dependencies: CanaryNode.Dependencies
    private let nodes = Mutex<[NodeAddress: CanaryNode]>([:])
    private let executor: EventLoopTaskExecutor

    init(_ dependencies: CanaryNode.Dependencies) {
        self.dependencies = dependencies
        executor = EventLoopTaskExecutor(dependencies.loop)
    }

    /// Works until cancelled, at the end of the term; then ``withdraw()``.
    func run() async {
        let bell = Doorbell(on: dependencies.loop)
        await withDiscardingTaskGroup { group in
            repeat {
                guard let topology = dependencies.watch.current else { continue }
                // One for each master, so that one out of reach holds up no other; the group cancels and awaits them.
                for node in adjust(to: topology) {
                    group.addTask(executorPreference: executor) { await node.run() }
                }
            } while await bell.wait(upTo: .seconds(1)) != .cancelled
            group.cancelAll()
        }
    }

    /// After ``run()``: takes away what is awaited.
    func withdraw() async {
        let nodes = nodes.withLock { nodes in
            defer { nodes = [:] }
            return nodes
        }
        await withDiscardingTaskGroup { group in
            for node in nodes.values {
                // One master that is away must not hold up the others.
                group.addTask { await node.withdraw() }
            }
        }
        for address in nodes.keys { dependencies.metrics.canaryAge(address, .zero) }
    }

    private func adjust(to topology: Topology) -> [CanaryNode] {
        let masters = Set(topology.masters.lazy.filter { $0.slotCount > 0 }.map(\.address))
        let (new, left) = nodes.withLock { nodes in
            let left = nodes.filter { !masters.contains($0.key) }
            for address in left.keys { nodes[address] = nil }
            let new = masters.filter { nodes[$0] == nil }.map { CanaryNode($0, dependencies) }
            for node in new { nodes[node.address] = node }
            return (new, left)
        }
        for (address, node) in left {
            node.stop()
            dependencies.metrics.canaryAge(address, .zero)
        }
        return new
    }

    private var all: [CanaryNode] { nodes.withLock { Array($0.values) } }

    /// Whether a key is one of those that are on their way.
    func awaits(_ key: RawSpan) -> Bool {
        key.starts(with: EventChannel.ownKeyPrefix) && all.contains { $0.awaits(key) }
    }

    /// A key of Lapse's own has expired; any client may say so of any.
    func heard(_ key: RawSpan) { for node in all { node.heard(key) } }

    /// Why this replica is not ready.
    var reasons: [String] {
        all.filter(\.isMissing).map { "\($0.address): two canaries in a row were not heard of" }.sorted()
    }
}
