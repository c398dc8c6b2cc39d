/// The calls that are used.
enum EtcdMethod: Sendable {
    case transaction, range, grant, keepAlive, revoke, timeToLive, watch, authenticate
}

/// The path under which a version of etcd has its gateway.
enum EtcdPrefix: Sendable {
    /// From 3.4 on.
    case v3
    /// 3.3.
    case v3beta

    var other: EtcdPrefix { self == .v3 ? .v3beta : .v3 }

    func path(_ method: EtcdMethod) -> String {
        let prefix = self == .v3 ? "/v3" : "/v3beta"
        // 3.3 has two of the calls on leases among those on keys.
        let ending = self == .v3 ? "/lease" : "/kv/lease"
        return switch method {
        case .transaction: "\(prefix)/kv/txn"
        case .range: "\(prefix)/kv/range"
        case .grant: "\(prefix)/lease/grant"
        case .keepAlive: "\(prefix)/lease/keepalive"
        case .revoke: "\(prefix)\(ending)/revoke"
        case .timeToLive: "\(prefix)\(ending)/timetolive"
        case .watch: "\(prefix)/watch"
        case .authenticate: "\(prefix)/auth/authenticate"
        }
    }
}
