import RedisClient

/// Keys leave by expiring, not because memory ran out: an evicted key announces no expiration, and the
/// lease's own lock is a key with a TTL like any other.
struct EvictionCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let registers = Set(facts.registers.compactMap(\.node))
        return facts.answering.filter { $0.role == .master }.compactMap { node in
            let policy = node.info["maxmemory_policy"] ?? node.setting("maxmemory-policy") ?? "noeviction"
            let limit = (node.info["maxmemory"] ?? node.setting("maxmemory")).flatMap { Int($0) } ?? 0
            guard policy != "noeviction", limit > 0 else { return nil }
            let evicted = node.info["evicted_keys"].flatMap { Int($0) } ?? 0
            let holds = registers.contains(node.address)
            let lease = holds ? " The lock of the lease and its counter live here and may go too: two leaders." : ""
            let happened =
                evicted > 0
                ? " It has evicted \(Wording.count(evicted, "key", "keys")) since it started."
                : " Its limit is \(Wording.megabytes(limit))."
            return DoctorFinding(
                evicted > 0 || holds ? .breaks : .warns, "eviction", at: node.address, "keys may be evicted",
                "maxmemory-policy is \(policy): when memory is full, keys vanish without an expired event.\(happened)\(lease)",
                fix: facts.command(on: node.address, "CONFIG", "SET", "maxmemory-policy", "noeviction"))
        }
    }
}
