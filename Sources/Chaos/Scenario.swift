import Foundation
import ThrowawayRedis

/// How long faults and traffic last: for the table, or for a test.
package enum Pace: Sendable {
    case full, short

    /// Steady traffic before the fault, in seconds.
    var before: Double { self == .full ? 5 : 2 }
    /// How long the leader stays stopped: longer than any lease used.
    var freeze: Duration { self == .full ? .seconds(20) : .seconds(6) }
}

/// A fault, and how it is done to a running group.
package enum Scenario: String, CaseIterable, Sendable {
    case none
    case sigkill
    case sigterm
    case sigstop
    case rolling
    case masterKilled = "master-killed"
    case masterFrozen = "master-frozen"
    case failover
    case newMaster = "new-master"
    case feedsCut = "feeds-cut"

    /// How long the traffic runs, in seconds.
    func seconds(_ pace: Pace) -> Double {
        switch (self, pace) {
        case (.sigstop, .full): 34
        case (.rolling, .full): 30
        case (.masterKilled, .full), (.masterFrozen, .full): 28
        case (_, .full): 22
        case (.sigstop, .short), (.rolling, .short), (.masterKilled, .short), (.masterFrozen, .short): 16
        case (_, .short): 10
        }
    }

    /// What a fault leaves behind for the account.
    struct Trace: Sendable {
        /// When the frozen leader woke, and in which term it had been; seconds since 1970.
        var woke: (replica: String, term: UInt64, at: Double)?
        var note = ""
    }

    /// Does the fault, and returns when the last part of it is done.
    func strike(
        _ cluster: ThrowawayCluster, _ group: ReplicaGroup, _ witness: ExpirationWitness, _ pace: Pace
    ) async throws -> Trace {
        var trace = Trace()
        switch self {
        case .none: break
        case .sigkill: await (try group.leader()).kill()
        case .sigterm:
            let code = await (try group.leader()).terminate()
            trace.note = "exit \(code ?? -1)"
        case .sigstop:
            let leader = try await group.leader()
            let term = leader.handled.last?.term ?? 0
            leader.freeze()
            try await Task.sleep(for: pace.freeze)  // The fault itself.
            leader.resume()
            trace.woke = (leader.id, term, Date().timeIntervalSince1970)
        case .rolling:
            for replica in group.replicas {
                let code = await replica.terminate()
                trace.note += "exit \(code ?? -1) "
                try await replica.start()
                try await group.waitUntilReady(replica, starts: 2)
            }
        case .masterKilled:
            let master = try await cluster.masters()[0]
            let replica = try await cluster.replicas(of: master)[0]
            await cluster.kill(master)
            try await cluster.waitUntilRole(replica, .master, within: .seconds(40))
        case .masterFrozen:
            let master = try await cluster.masters()[0]
            let replica = try await cluster.replicas(of: master)[0]
            cluster.freeze(master)
            try await cluster.waitUntilRole(replica, .master, within: .seconds(40))
            try await Task.sleep(for: .seconds(2))  // Long enough for a backlog.
            cluster.resume(master)
            try await cluster.waitUntilRole(master, .replica, within: .seconds(40))
        case .failover:
            let master = try await cluster.masters()[0]
            try await cluster.failover(try await cluster.replicas(of: master)[0])
        case .feedsCut:
            let leader = try await group.leader()
            let end = Date() + (pace == .full ? 10 : 4)
            var cuts = 0
            while Date() < end {
                for node in cluster.nodes {
                    let clients = try await node.cli("CLIENT", "LIST", "TYPE", "pubsub").split(separator: "\n")
                    for client in clients where client.contains("name=lapse:chaos:\(leader.id):feed") {
                        guard let id = client.split(separator: " ").first?.dropFirst(3) else { continue }
                        _ = try? await node.cli("CLIENT", "KILL", "ID", String(id))
                        cuts += 1
                    }
                }
            }
            trace.note = "\(cuts) cuts "
        case .newMaster:
            let node = try await cluster.addNode()
            try await witness.add(node)
            try await cluster.rebalance(onto: node)
        }
        return trace
    }
}
