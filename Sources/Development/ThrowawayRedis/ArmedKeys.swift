package import Foundation
import Synchronization

/// A source of expirations: sets keys `k:<sequence>` with a TTL at a steady rate, and remembers which
/// Redis acknowledged.
///
/// Each is applied at most once: a SET without a reply counts as unknown, one that was refused is tried
/// again. So, after any failover, every acknowledged key that the new master had received expires once,
/// and of all others only unknown ones may.
package final class ArmedKeys: Sendable {
    package struct Armed: Sendable {
        package let ttl: Duration
        /// The key's deadline lies between `sent + ttl` and `acknowledged + ttl`.
        package let sent: Date
        package let acknowledged: Date
    }

    package struct Account: Sendable {
        package var acknowledged: [String: Armed] = [:]
        /// No reply came: these may be set or not.
        package var unknown: Set<String> = []
        /// No node took them in time: these are not set.
        package var refused: Set<String> = []
        /// The last error reply, if any.
        package var complaint: String?
    }

    let nodes: @Sendable () -> [ThrowawayServer]
    package static let defaultPrefix = "k:"
    package let prefix: String
    let replicasToWaitFor: Int
    let sequence = Atomic(0)
    let acknowledgements = Atomic(0)

    /// `replicasToWaitFor` above zero acknowledges a key only when that many replicas have it (WAIT): only
    /// then does it outlive the death of its master for certain.
    package init(
        nodes: @escaping @Sendable () -> [ThrowawayServer], prefix: String = ArmedKeys.defaultPrefix,
        replicasToWaitFor: Int = 0
    ) {
        self.nodes = nodes
        self.prefix = prefix
        self.replicasToWaitFor = replicasToWaitFor
    }

    package convenience init(
        cluster: ThrowawayCluster, prefix: String = ArmedKeys.defaultPrefix, replicasToWaitFor: Int = 0
    ) {
        self.init(nodes: { cluster.nodes }, prefix: prefix, replicasToWaitFor: replicasToWaitFor)
    }

    /// How many keys were acknowledged so far, over all runs.
    package var acknowledgedCount: Int { acknowledgements.load(ordering: .relaxed) }

    /// Sets `rate` keys per second for a while, each with a TTL from the range, and waits for the replies.
    ///
    /// A cancelled run ends early and returns its account all the same.
    package func run(rate: Double, ttl: ClosedRange<Duration>, duration: Duration) async throws -> Account {
        if let node = nodes().first(where: { $0.options.tls != nil }) {
            throw ThrowawayRedisError("ArmedKeys speaks no TLS, and \(node.address) nothing else")
        }
        let isCancelled = CancellationMark()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let thread = Thread { [self] in
                    let rounds = ArmingRounds(self, rate: rate, ttl: ttl, duration: duration)
                    continuation.resume(returning: rounds.run { isCancelled.value.load(ordering: .relaxed) })
                }
                thread.name = "armed-keys"
                thread.start()
            }
        } onCancel: {
            isCancelled.value.store(true, ordering: .relaxed)
        }
    }
}

private final class CancellationMark: Sendable {
    let value = Atomic(false)
}
