import LeaderElection
import LeaderElectionRedis
import Logging
import Synchronization

/// Replicas of the group that should not be as they are: told once each, and let be.
extension RunningProcessor {
    /// Called each second with those that share this replica's ID, or want other keys.
    func meet(_ others: [GroupRules.Other]) {
        for other in others where othersTold.withLock({ $0.insert(other).inserted }) {
            if other.member.id == configuration.id {
                logger.warning(
                    "another replica has the same id",
                    metadata: [
                        "replicas": "\(member), \(other.member)",
                        "fix": "give each replica an --id of its own, or none",
                    ])
            }
            guard other.settings != wantedKeys else { continue }
            logger.warning(
                "another replica wants other keys",
                metadata: [
                    "replicas": "\(configuration.id), \(other.member.id)", "mine": "\(wantedKeys)",
                    "theirs": "\(other.settings)",
                    "fix": "give all replicas of a group the same --match, --ignore, --database and --companion",
                ])
        }
    }

    /// Which keys the handler gets, in one line: the same words for the same keys.
    var wantedKeys: String {
        let databases = Self.databases(configuration, deployment).map { "\($0)" }
        let parts = [
            ("match", configuration.match), ("ignore", configuration.ignore), ("database", databases),
            ("companion", configuration.companions),
        ]
        return parts.map { "\($0)=\(Set($1).sorted().joined(separator: ","))" }.joined(separator: " ")
    }
}
