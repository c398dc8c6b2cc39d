import RedisClient

/// The key for dead letters is a stream, or not there yet.
struct DeadLetterCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard let (key, type) = facts.deadLetter, type != "stream", type != "none" else { return [] }
        return [
            DoctorFinding(
                .warns, "dead-letter", "the key for dead letters is no stream",
                "\(key) is a \(type): what no attempt can handle will be in the log alone.",
                fix: "name another key by --dead-letter, or delete this one")
        ]
    }
}
