public import Endpoints

/// Where etcd is and how to log in.
public struct EtcdConfiguration: Sendable {
    /// One member of the cluster, or a proxy before it. All are equal; the next is asked when one does not
    /// answer.
    public struct Endpoint: Sendable, Hashable {
        /// A name or an address; IPv6 without brackets.
        public var host: String
        /// 2379 unless the cluster says otherwise.
        public var port: Int

        /// An endpoint.
        public init(host: String, port: Int = 2379) {
            self.host = host
            self.port = port
        }

        var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// At least one.
    public var endpoints: [Endpoint]
    /// Every key begins with it. All replicas of a group must use the same.
    public var prefix: String
    /// A user of etcd's own authentication, with its password; nil: none.
    public var user: String?
    /// Its password. It is never printed.
    public var password: String?
    /// How to encrypt; nil: plain text. While a file cannot be read, only the system's authorities are
    /// trusted.
    public var tls: TLSFiles?
    /// How long making a connection may take.
    public var connectTimeout: Duration
    /// Where the password is renewed; it counts before ``password``.
    package var passwordFile: SecretFile?
    /// How long one endpoint may take for one request. Then the next is asked.
    public var requestTimeout: Duration

    /// A configuration; nothing is contacted.
    public init(
        endpoints: [Endpoint], prefix: String = "/lapse", user: String? = nil, password: String? = nil,
        tls: TLSFiles? = nil, connectTimeout: Duration = .seconds(1), requestTimeout: Duration = .seconds(1)
    ) {
        self.endpoints = endpoints
        self.prefix = prefix
        self.user = user
        self.password = password
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
    }
}

extension EtcdConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Endpoints and prefix.
    public var description: String {
        "\(tls == nil ? "etcd" : "etcd+tls")://\(endpoints.map(\.authority).joined(separator: ","))\(prefix)"
    }

    /// Endpoints and prefix.
    public var debugDescription: String { description }

    /// Empty: a reflection would show the password.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
