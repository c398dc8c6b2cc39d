package import Foundation
package import ThrowawayRedis

/// A running cluster with a group of replicas on it: what faults are done to. The faults are its
/// methods.
package struct Stage: Sendable {
    package let cluster: ThrowawayCluster
    package let group: ReplicaGroup
    package let witness: ExpirationWitness
    package let pace: Pace
    let probe: AccountProbe
    var builds: (other: String?, own: String) = (nil, "")
    /// Where what is handled is to be seen.
    var output = Output.replicas
    /// Those that handle what the replicas append, where some do.
    var workers: [ThrowawayReplica] = []

    /// The n-th master, counted round and round.
    func master(_ index: Int = 0) async throws -> ThrowawayServer {
        let masters = try await cluster.masters()
        guard !masters.isEmpty else { throw ThrowawayRedisError("the cluster has no master") }
        return masters[index % masters.count]
    }
}

/// What a fault leaves behind for the account.
package struct Trace: Sendable {
    /// A node whose announcements the witness cannot have heard all: its own counter tells how many there
    /// were.
    package struct BlindSpot: Sendable {
        package var node: ThrowawayServer
        /// When the process began, or something earlier.
        package var since: Date

        /// How many expirations the process has announced that the witness did not hear.
        func unheard(by witness: ExpirationWitness) async throws -> Int {
            guard let counter = try await node.info("expired_keys").flatMap({ Int($0) }) else {
                throw ThrowawayRedisError("\(node.address) names no expired_keys")
            }
            return counter - witness.sightings.count { $0.node == node.address && $0.time >= since }
        }
    }

    /// When the frozen leader woke, and in which term it had been; seconds since 1970.
    package var woke: (replica: String, term: UInt64, at: Double)?
    package var note = ""
    package var blind: [BlindSpot] = []
    /// What was seen that must not be.
    package var problems: [String] = []

    package init(note: String = "") { self.note = note }
}
