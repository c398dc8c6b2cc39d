import RedisClient

/// A restart does not forget the keys: those that are gone announce nothing. The lease survives it, for
/// a server younger than the lease gives no vote.
struct PersistenceCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.filter(\.isDataMaster).compactMap { node in
            guard let append = node.setting("appendonly"), let save = node.setting("save"), append == "no", save.isEmpty
            else { return nil }
            let replicas = facts.replicas(of: node).count
            let effect =
                replicas > 0
                ? "A restart quicker than the failover comes back empty, and its "
                    + "\(replicas == 1 ? "replica empties itself" : "replicas empty themselves") too."
                : "A restart comes back empty."
            return DoctorFinding(
                .warns, "persistence", at: node.address, "nothing is kept on disk",
                "\(effect) Every key that waited to expire is forgotten without an event; only companion keys on another "
                    + "server would tell.",
                fix: facts.command(on: node.address, "CONFIG", "SET", "appendonly", "yes"))
        }
    }
}
