import RedisClient

/// Each server takes itself for what the others take it for, and replicas are in step.
struct RoleCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.filter { !$0.isLockServer }.compactMap { node in
            guard let own = node.info["role"] else { return nil }
            guard own == "master" || own == "slave" else {
                return DoctorFinding(
                    .breaks, "roles", at: node.address, "its role is \"\(own)\"",
                    "Lapse knows masters and replicas. Servers that are both (active-replica) announce each other's "
                        + "expirations, and nothing tells which of them counts.",
                    fix: "use a plain master with replicas")
            }
            if (own == "master") != (node.role == .master) {
                return DoctorFinding(
                    .warns, "roles", at: node.address,
                    "calls itself a \(own == "master" ? "master" : "replica"), others call it a \(node.role.rawValue)",
                    "A failover is under way, or this server was cut off from it. Its expirations do not count until it "
                        + "agrees with the others.",
                    fix: facts.command(on: node.address, "INFO", "replication"))
            }
            guard own != "master", node.info["master_link_status"] == "down" else { return nil }
            return DoctorFinding(
                .warns, "roles", at: node.address, "the replica has lost its master",
                "It is not in step: promoted now, it would have forgotten the newest keys.",
                fix: facts.command(on: node.address, "INFO", "replication"))
        }
    }
}
