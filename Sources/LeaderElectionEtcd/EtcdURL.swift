public import NIOSSL

/// What is wrong with a store's URL, and what to write instead. It repeats nothing of the URL's user or password.
public struct EtcdURLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One line for the user.
    public let description: String

    init(_ description: String) { self.description = "etcd URL: \(description)" }
}

extension EtcdConfiguration {
    /// Reads `etcd://[user@]host[:port][,host[:port]…][/prefix]`, or `etcd+tls://…`.
    ///
    /// The password does not belong into the URL. `tls` is used with `etcd+tls` only; nil trusts the system's
    /// authorities.
    public init(url: String, password: String? = nil, tls: TLSConfiguration? = nil) throws(EtcdURLError) {
        guard let separator = url.firstRange(of: "://") else {
            throw EtcdURLError("it starts with etcd:// or etcd+tls://")
        }
        let isEncrypted: Bool
        switch url[..<separator.lowerBound] {
        case "etcd": isEncrypted = false
        case "etcd+tls": isEncrypted = true
        default: throw EtcdURLError("the scheme is etcd:// or etcd+tls://")
        }
        var rest = url[separator.upperBound...]
        guard !rest.contains("?"), !rest.contains("#") else {
            throw EtcdURLError("nothing is read from behind '?' or '#': use the options")
        }
        var prefix = "/lapse"
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[slash...]
            rest = rest[..<slash]
            let trimmed = path.split(separator: "/", omittingEmptySubsequences: true).joined(separator: "/")
            if !trimmed.isEmpty { prefix = "/" + trimmed }
            guard !path.contains("@") else { throw EtcdURLError("a '/' in the user's name is not supported") }
        }
        var user: String?
        if let at = rest.lastIndex(of: "@") {
            let name = rest[..<at]
            guard !name.contains(":") else {
                throw EtcdURLError("the password goes into a file (--store-password-file), not into the URL")
            }
            guard !name.isEmpty else { throw EtcdURLError("there is no user before '@'") }
            user = String(name)
            rest = rest[rest.index(after: at)...]
        }
        if user != nil, password == nil {
            throw EtcdURLError("the user has no password: give --store-password-file")
        }
        if user == nil, password != nil {
            throw EtcdURLError("the password has no user: write etcd://user@host")
        }
        var endpoints: [Endpoint] = []
        for part in rest.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try Self.endpoint(part))
        }
        self.init(
            endpoints: endpoints, prefix: prefix, user: user, password: password,
            tls: isEncrypted ? tls ?? .makeClientConfiguration() : nil)
    }

    private static func endpoint(_ text: Substring) throws(EtcdURLError) -> Endpoint {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { throw EtcdURLError("a ']' is missing") }
            host = text[text.index(after: text.startIndex)..<close]
            let tail = text[text.index(after: close)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw EtcdURLError("after ']' comes :port") }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw EtcdURLError("a host is missing: etcd://host:2379[,host:2379…]/prefix") }
        guard !host.contains(where: \.isWhitespace) else { throw EtcdURLError("a host has a space in it") }
        guard let port else { return Endpoint(host: String(host)) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw EtcdURLError("'\(port)' is no port: 1 to 65535")
        }
        return Endpoint(host: String(host), port: number)
    }
}
