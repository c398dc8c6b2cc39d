import Chaos
import ThrowawayRedis

/// Replicas that log in as users of their own, so that one of them can be kept from a node while the
/// others are not.
struct PeerGroup {
    let replicas: [ThrowawayReplica]
    private let nodes: [ThrowawayServer]

    /// - Parameter hasReaders: what they print goes through pipes that can be read slowly.
    static func start(
        _ count: Int = 3, on nodes: [ThrowawayServer], leaseTTL: String = "2s", extra: [String] = [],
        hasReaders: Bool = false
    ) async throws -> PeerGroup {
        let ids = ["a", "b", "c"].prefix(count)
        for node in nodes {
            try await node.script(ids.map { "ACL SETUSER \($0) on >secret ~* &* +@all" })
        }
        let replicas = try ids.map { id in
            let urls = nodes.map { "redis://\(id):secret@\($0.address)" }.joined(separator: ",")
            return try ThrowawayReplica(
                id: id, binary: Binary.lapse,
                arguments: ["--redis", urls, "--name", "peers", "--lease-ttl", leaseTTL, "--admin", "127.0.0.1:0"]
                    + extra,
                hasReader: hasReaders)
        }
        let group = PeerGroup(replicas: replicas, nodes: nodes)
        for replica in replicas { try await group.begin(replica) }
        return group
    }

    /// Starts one, and waits until it listens to every node.
    func begin(_ replica: ThrowawayReplica) async throws {
        let before = replica.count(of: " subscribed ")
        try await replica.start()
        try await waitUntil("\(replica.id) listens to every node", within: .seconds(30)) {
            let count = replica.count(of: " subscribed ") - before
            return count >= nodes.count ? nil : "\(count) of \(nodes.count): \(replica.log.suffix(300))"
        }
    }

    func leader() async throws -> ThrowawayReplica {
        var found: ThrowawayReplica?
        try await waitUntil("a replica leads", within: .seconds(40)) {
            found = replicas.first { replica in
                let lines = replica.log.split(separator: "\n")
                guard replica.isRunning, let began = lines.lastIndex(where: { $0.contains("became leader") }) else {
                    return false
                }
                return !lines[began...].contains {
                    $0.contains("leadership lost") || $0.contains("leadership released")
                }
            }
            return found == nil ? "none does" : nil
        }
        guard let found else { throw ThrowawayRedisError("no replica leads") }
        return found
    }

    /// Cuts the replica's feed to a node, and keeps it from coming back.
    func deafen(_ replica: ThrowawayReplica, to node: ThrowawayServer) async throws {
        let lost = replica.count(of: "subscription lost")
        try await node.cli("ACL", "SETUSER", replica.id, "resetchannels")
        try await waitUntil("the feed of \(replica.id) is cut", within: .seconds(10)) {
            replica.count(of: "subscription lost") > lost ? nil : "not yet"
        }
    }

    func undeafen(_ replica: ThrowawayReplica, to node: ThrowawayServer) async throws {
        try await node.cli("ACL", "SETUSER", replica.id, "allchannels")
    }

    /// How often each key was handled.
    var handled: [String: Int] { replicas.flatMap(\.handled).reduce(into: [:]) { $0[$1.key, default: 0] += 1 } }

    /// Waits until so many keys with this prefix are handled; the error says how many were.
    func waitUntilHandled(_ count: Int, _ prefix: String, within limit: Duration = .seconds(40)) async throws {
        try await waitUntil("\(count) keys are handled", within: limit) {
            let handled = handled.keys.count { $0.hasPrefix(prefix) }
            guard handled < count else { return nil }
            let logs = replicas.map { "\($0.id): \($0.log.suffix(1_500))" }.joined(separator: "\n")
            return "\(handled) are; lost \(ReportedLoss(replicas.map(\.log)).lost)\n\(logs)"
        }
    }

    func count(of message: String) -> Int { replicas.reduce(0) { $0 + $1.count(of: message) } }

    func shutDown() async {
        for replica in replicas where replica.isRunning { await replica.kill() }
    }
}

extension ThrowawayServer {
    /// Sets keys that expire at once, `prefix` and a number each, and waits until they have.
    func expire(_ count: Int, _ prefix: String, padding: Int = 0) async throws {
        let before = try await info("expired_keys").flatMap { Int($0) } ?? 0
        try await cli(
            [
                "EVAL",
                """
                local at, pad = redis.call('TIME')[1] * 1000 + 600, string.rep('x', ARGV[2])
                for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i .. pad, '', 'PXAT', at) end
                """, "1", prefix, "\(count)", "\(padding)",
            ], within: .seconds(30))
        try await waitUntil("the keys have expired", within: .seconds(60)) {
            let now = try await info("expired_keys").flatMap { Int($0) } ?? 0
            return now - before >= count ? nil : "\(now - before) of \(count)"
        }
    }
}
