import RedisClient

/// What `lapse run` does works on every master, tried with a key of its own.
struct DeliveryCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.flatMap { node in node.failures.map { finding($0, node, facts) } }
    }

    private func finding(_ failure: TrialFailure, _ node: NodeFacts, _ facts: DeploymentFacts) -> DoctorFinding {
        let (title, effect, fix): (String, String, String?) =
            switch failure.deed {
            case .subscription:
                ("cannot be listened to", "Nothing this server announces is heard.", nil)
            case .mark:
                (
                    "its stream cannot be marked", "Expirations cannot be numbered, so gaps go unseen.",
                    "make EVAL, or MULTI with INFO and PUBLISH, available on this server"
                )
            case .scripts:
                (
                    "the scripts of the lease do not work", "No replica can lead, or progress is not kept.",
                    "make EVAL and the commands of 'lapse doctor --acl' available on this server, and let it take writes"
                )
            case .expiration:
                (
                    "an expiration was not announced", "Every expiration here is lost.",
                    facts.command(on: node.address, "CONFIG", "GET", "notify-keyspace-events")
                )
            }
        return DoctorFinding(.breaks, "delivery", at: node.address, title, "\(failure.text). \(effect)", fix: fix)
    }
}
