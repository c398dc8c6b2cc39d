extension RedisError {
    /// Of the errors of several servers the most telling one. A refusal is final only where all refuse: one
    /// that is away may let us in when it is back.
    static func of(_ failures: [RedisError]) -> RedisError {
        guard var refusal = failures.first(where: \.isPermanent) else {
            return failures.first ?? RedisError(.noNode, node: nil, "no Redis address is known")
        }
        guard let other = failures.first(where: { !$0.isPermanent }) else { return refusal }
        refusal.kind = .unreachable
        refusal.text += "; \(other)"
        return refusal
    }
}
