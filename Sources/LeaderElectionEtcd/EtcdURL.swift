public import Endpoints

/// What is wrong with a store's URL, and what to write instead. It repeats nothing of the URL's user or
/// password.
public struct EtcdURLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One line for the user.
    public let description: String

    init(_ description: String) { self.description = "etcd URL: \(description)" }
}

extension EtcdConfiguration {
    /// Reads `etcd://[user@]host[:port][,host[:port]…][/prefix]`, or `etcd+tls://…`.
    ///
    /// The password does not belong into the URL. `tls` is used with `etcd+tls` only; nil trusts the
    /// system's authorities.
    ///
    /// - Throws: ``EtcdURLError``: the URL cannot be read, or user and password do not come together.
    public init(url: String, password: String? = nil, tls: TLSFiles? = nil) throws(EtcdURLError) {
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
            tls: isEncrypted ? tls ?? TLSFiles() : nil)
    }

    private static func endpoint(_ text: Substring) throws(EtcdURLError) -> Endpoint {
        do {
            let address = try HostAndPort(text)
            return address.port.map { Endpoint(host: address.host, port: $0) } ?? Endpoint(host: address.host)
        } catch {
            throw EtcdURLError("\(error), as in etcd://host:2379[,host:2379…]/prefix")
        }
    }
}
