import RedisClient

/// Each replica goes by an id of its own.
struct SharedIDsCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.sharedIDs.map { id in
            DoctorFinding(
                .warns, "ids", "several replicas go by the id \(id)",
                "They take each other's questions for their own: what one of them missed may not be asked for.",
                fix: "give each replica its own --id, or none: then it is made up")
        }
    }
}
