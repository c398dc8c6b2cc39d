package import Endpoints

/// One `--redis` address: `redis://`, `rediss://` or `redis+sentinel://`, with user, password and
/// database.
///
/// For Sentinel the path names the master: `redis+sentinel://host:26379/mymaster[/database]`.
package struct RedisURL: Sendable, Equatable {
    package enum Scheme: Sendable { case plain, tls, sentinel, sentinelTLS }

    package var scheme: Scheme
    package var address: NodeAddress
    package var credentials: Credentials?
    /// Nil when the URL names none.
    package var database: Int?
    package var masterName: String

    package var usesTLS: Bool { scheme == .tls || scheme == .sentinelTLS }
    package var isSentinel: Bool { scheme == .sentinel || scheme == .sentinelTLS }

    /// Reads one URL. The error says what is wrong and repeats nothing: a URL with a mistake has its
    /// password anywhere.
    package init(_ text: String) throws(RedisURLError) {
        guard let separator = text.firstRange(of: "://") else {
            throw RedisURLError("a Redis URL starts with redis://, rediss:// or redis+sentinel://")
        }
        switch text[..<separator.lowerBound].lowercased() {
        case "redis": scheme = .plain
        case "rediss": scheme = .tls
        case "redis+sentinel": scheme = .sentinel
        case "rediss+sentinel", "redis+sentinel+tls": scheme = .sentinelTLS
        default: throw RedisURLError("unknown scheme: use redis://, rediss:// or redis+sentinel://")
        }
        var rest = text[separator.upperBound...]
        if let query = rest.firstIndex(of: "?") {
            throw RedisURLError("nothing is read from behind '?' (\(rest[query...].count) characters): use the options")
        }
        var path: [Substring] = []
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...].split(separator: "/")
            rest = rest[..<slash]
        }
        guard !path.contains(where: { $0.contains("@") }) else {
            throw RedisURLError("a '/' in user or password is written %2F")
        }
        if let at = rest.lastIndex(of: "@") {
            credentials = try Self.credentials(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        let sentinel = scheme == .sentinel || scheme == .sentinelTLS
        address = try Self.address(rest, defaultPort: sentinel ? 26379 : 6379)
        masterName = sentinel ? String(path.first ?? "mymaster") : ""
        let databasePath = sentinel ? path.dropFirst() : path[...]
        guard databasePath.count <= 1 else { throw RedisURLError("the path has too many parts") }
        if let number = databasePath.first {
            guard let database = Int(number), (0...65535).contains(database) else {
                throw RedisURLError("the database in the path is not a number of 0 to 65535")
            }
            self.database = database
        }
    }

    private static func credentials(_ text: Substring) throws(RedisURLError) -> Credentials? {
        guard !text.isEmpty else { return nil }
        // The password may be in a file, or be that of the other servers: a reader without any refuses the
        // URL.
        guard let colon = text.firstIndex(of: ":") else { return Credentials(user: try decoded(text), password: nil) }
        let user = try decoded(text[..<colon])
        let password = try decoded(text[text.index(after: colon)...])
        guard !user.isEmpty || !password.isEmpty else { return nil }
        return Credentials(user: user.isEmpty ? nil : user, password: Secret(password))
    }

    private static func address(_ text: Substring, defaultPort: Int) throws(RedisURLError) -> NodeAddress {
        if text.isEmpty { return NodeAddress(host: "127.0.0.1", port: defaultPort) }
        if text.contains(",") { throw RedisURLError("several servers are several URLs: write each in full") }
        do {
            let address = try HostAndPort(text)
            return NodeAddress(host: address.host, port: address.port ?? defaultPort)
        } catch { throw RedisURLError("behind '://' and '@': \(error)") }
    }

    private static func decoded(_ text: Substring) throws(RedisURLError) -> String {
        do { return try String(percentEncoded: text, "user or password") } catch {
            throw RedisURLError(error.description)
        }
    }
}

/// Why a Redis URL cannot be used.
package struct RedisURLError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
