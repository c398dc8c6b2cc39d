/// Where a Redis node listens: a host name or an IP address, and a port.
package struct NodeAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// As a server announces itself or another; nil without a host, or with a port that no server can have.
    package init?(announced host: String?, port: String?) {
        guard let host, !host.isEmpty, host.utf8.count <= 255, let port = port.flatMap({ Int($0) }),
            (1...65535).contains(port)
        else { return nil }
        self.init(host: host, port: port)
    }

    /// Reads `host:port`, `[v6]:port` and Redis' own `v6:port` (the last colon parts the port).
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.init(host: host, port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package static func < (left: NodeAddress, right: NodeAddress) -> Bool {
        (left.host, left.port) < (right.host, right.port)
    }
}

/// Which of the addresses that a node announces is connected to.
package enum AnnouncedAddress: String, Sendable, CaseIterable {
    /// The host name with TLS, where there is one, for certificates bear names; else the IP address.
    case auto
    case ip
    case name
}

/// Rewrites addresses that nodes announce into ones this process can reach (`--address-map FROM=TO`,
/// behind NAT).
///
/// `FROM` is `host:port` or a host alone; `TO` likewise. A rule for a host alone keeps the port.
package struct AddressMap: Sendable, Equatable {
    private var exact: [NodeAddress: NodeAddress] = [:]
    private var hosts: [String: String] = [:]

    package init() {}

    /// Adds one `FROM=TO` rule; returns false when it cannot be read.
    package mutating func add(_ rule: String) -> Bool {
        let parts = rule.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return false }
        if let from = NodeAddress(parts[0]), let to = NodeAddress(parts[1]) {
            exact[from] = to
        } else if NodeAddress(parts[0]) == nil, NodeAddress(parts[1]) == nil {
            hosts[Self.bare(parts[0])] = Self.bare(parts[1])
        } else {
            return false
        }
        return true
    }

    /// An IPv6 address stands in brackets in a rule, and without them in an address.
    private static func bare(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    package func callAsFunction(_ announced: NodeAddress) -> NodeAddress {
        if let mapped = exact[announced] { return mapped }
        if let host = hosts[announced.host] { return NodeAddress(host: host, port: announced.port) }
        return announced
    }
}
