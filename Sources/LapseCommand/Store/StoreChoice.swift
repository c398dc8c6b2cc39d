/// Where an election is held, as `--store` names it. The rest of a URL is the store's own to read.
enum StoreChoice: Sendable, Hashable {
    case redis
    case etcd(url: String)
    case consul(url: String)
    case mysql(url: String)

    /// An error never shows the text: users write passwords where none belong.
    @Sendable init(parsing text: String) throws(Malformed) {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        switch (parts[0], parts.count) {
        case ("redis", 1): self = .redis
        case ("etcd", 2), ("etcd+tls", 2): self = .etcd(url: text)
        case ("consul", 2), ("consul+tls", 2): self = .consul(url: text)
        case ("mysql", 2), ("mysql+tls", 2): self = .mysql(url: text)
        case ("redis", _), ("rediss", _):
            throw Malformed("cannot be used: write redis for the servers that --redis names, or use --lock-servers")
        default:
            throw Malformed(
                "cannot be used: write redis, etcd://host:2379/prefix, consul://host:8500/prefix or "
                    + "mysql://user@host:3306/database?scheme=lease (with TLS etcd+tls:// and so on)")
        }
    }
}
