import RedisClient

/// A server whose memory is full refuses writes and goes on announcing: no lease, no progress.
struct MemoryCheck: Check {
    /// In percent of the limit.
    private static let high = 80

    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let registers = Set(facts.registers.compactMap(\.node))
        return facts.answering.filter { $0.role == .master }.compactMap { node in
            let limit = (node.info["maxmemory"] ?? node.setting("maxmemory")).flatMap { Int($0) } ?? 0
            let policy = node.info["maxmemory_policy"] ?? node.setting("maxmemory-policy") ?? "noeviction"
            // With the others keys go instead: EvictionCheck tells.
            guard !policy.hasPrefix("allkeys"), limit > 0, let used = node.info["used_memory"].flatMap({ Int($0) }),
                used >= limit / 100 * Self.high
            else { return nil }
            let effect =
                registers.contains(node.address)
                ? "no leader can be elected, and a crash repeats what was handled since" : "writers of keys fail"
            return DoctorFinding(
                .warns, "memory", at: node.address, "memory is nearly full",
                "\(Wording.megabytes(used)) of \(Wording.megabytes(limit)) are used (\(used / (limit / 100 + 1)) %). When it is full "
                    + "the server refuses writes and goes on announcing: \(effect). Raise the limit, or free memory.",
                fix: facts.command(on: node.address, "CONFIG", "SET", "maxmemory", "\(limit * 2)"))
        }
    }
}
