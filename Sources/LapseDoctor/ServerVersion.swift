/// Which server it is, and of which release.
struct ServerVersion: Sendable, Equatable {
    enum Product: Sendable { case redis, valkey }

    let product: Product
    let major: Int
    let minor: Int
    let text: String

    /// Nil where INFO does not tell.
    init?(_ facts: NodeFacts) {
        // Valkey calls itself a Redis 7.2 there, for old clients.
        let valkey = facts.info["valkey_version"]
        guard let text = valkey ?? facts.info["redis_version"] else { return nil }
        let parts = text.split(separator: ".", maxSplits: 2).map { Int($0) }
        guard parts.count > 1, let major = parts[0], let minor = parts[1] else { return nil }
        product = valkey == nil ? .redis : .valkey
        self.major = major
        self.minor = minor
        self.text = text
    }

    func isWithin(_ first: (Int, Int), _ last: (Int, Int)) -> Bool {
        (major, minor) >= first && (major, minor) <= last
    }

    var name: String { product == .redis ? "Redis \(text)" : "Valkey \(text)" }
}
