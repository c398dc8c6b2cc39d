import LeaderElectionRedis

/// How the group stands, as one replica knows it, whether it leads or not: what the page of the admin
/// port shows. Its JSON is between the page and the replica that served it, and is no contract.
package struct GroupView: Sendable, Encodable {
    package struct Node: Sendable, Encodable {
        package var address: String
        package var role: String
        /// `subscribed`, `silent` or `down`.
        package var feed: String
        package var error: String?
        /// The ordinal of the last expiration heard.
        package var position: UInt64?
        package var backlog: UInt64
        /// How long the oldest one that is not finished has waited, in milliseconds; nil when none waits.
        package var waitsFor: UInt64?
        package var account: NodeAccount?
    }

    package struct Replica: Sendable, Encodable {
        package var id: String
        package var version: String?
        /// Expirations that the leader has taken up and this one has not heard.
        package var behind: UInt64?
        package var leads: Bool
    }

    package var name: String
    package var id: String
    package var version: String
    package var role: String
    package var leader: String?
    package var term: UInt64
    /// When the term began, in milliseconds since 1970; nil where the store does not tell.
    package var since: UInt64?
    package var leaseLeft: Double?
    package var leaseLength: Double
    package var inFlight: Int
    package var pause: ProcessorStatus.Pause?
    /// Why this replica is not ready.
    package var troubles: [String]
    package var nodes: [Node]
    package var replicas: [Replica]
    /// By ``RecentEvents/Kind``.
    package var recent: [String: [RecentEvents.Event]]
    /// Milliseconds since 1970, by this replica's clock.
    package var now: UInt64
}

extension GroupView.Replica {
    /// One row a replica, by its id: one that was started again counts for some seconds as two members,
    /// of which the one further behind is shown.
    static func rows(
        of members: Set<String>, _ words: [String: ReplicaWord], leader: String?
    ) -> [GroupView.Replica] {
        var rows: [String: GroupView.Replica] = [:]
        for member in members.sorted() {
            let id = MemberID(member).id
            let word = words[member]
            if let known = rows[id]?.behind, known >= word?.behind ?? 0 { continue }
            rows[id] = GroupView.Replica(id: id, version: word?.version, behind: word?.behind, leads: id == leader)
        }
        return rows.values.sorted { $0.id < $1.id }
    }
}

/// What is sampled each second, with or without a viewer.
package struct ViewFigures: Sendable {
    /// Since the start, by how long each took: see ``DelayCounts``.
    package var delays: [UInt64]
    package var failed: UInt64
    /// What the leader has handled in its term, by its progress and by run ID; nil on the leader, which
    /// counts itself, and while no progress says it.
    package var byLeader: [String: UInt64]?

    package init(delays: [UInt64], failed: UInt64, byLeader: [String: UInt64]? = nil) {
        (self.delays, self.failed, self.byLeader) = (delays, failed, byLeader)
    }
}
