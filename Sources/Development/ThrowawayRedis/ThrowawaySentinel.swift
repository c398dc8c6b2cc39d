import Synchronization

/// How a throwaway Sentinel group is set up.
package struct SentinelOptions: Sendable {
    /// The name the Sentinels know the group by.
    package var name = "mymaster"
    package var replicas = 1
    package var sentinels = 3
    package var quorum = 2
    /// `down-after-milliseconds`.
    package var downAfter = Duration.seconds(1)
    /// Password of the Sentinels themselves; that of the servers is in `server`.
    package var sentinelPassword: String?
    /// TLS of the Sentinels themselves, where the servers have none.
    package var sentinelTLS: ServerOptions.TLS?
    /// What master and replicas have in common; its port is ignored.
    package var server = ServerOptions()

    package init() {}
}

/// A master, its replicas, and the Sentinels that watch them.
package final class ThrowawaySentinel: Sendable {
    package let options: SentinelOptions
    private let everyone = Mutex<(servers: [ThrowawayServer], sentinels: [ThrowawayServer])>(([], []))

    private init(_ options: SentinelOptions) { self.options = options }

    /// A group whose Sentinels know each other and the replicas, in about three seconds.
    package static func start(_ options: SentinelOptions = SentinelOptions()) async throws -> ThrowawaySentinel {
        let group = ThrowawaySentinel(options)
        do {
            try await group.form()
            return group
        } catch {
            await group.shutDown()
            throw error
        }
    }

    /// The servers that hold data; which of them is the master changes.
    package var servers: [ThrowawayServer] { everyone.withLock { $0.servers } }

    package var sentinels: [ThrowawayServer] { everyone.withLock { $0.sentinels } }

    /// `redis+sentinel://127.0.0.1:30001,127.0.0.1:30002/mymaster`, without passwords.
    package var url: String {
        "redis+sentinel://\(sentinels.map(\.address).joined(separator: ","))/\(options.name)"
    }

    /// The master on which most Sentinels agree.
    package func master() async throws -> ThrowawayServer {
        var votes: [Int: Int] = [:]
        for sentinel in sentinels where sentinel.isLive {
            if let port = try await masterPort(of: sentinel) { votes[port, default: 0] += 1 }
        }
        guard
            let port = votes.first(where: { $1 * 2 > options.sentinels })?.key,
            let server = servers.first(where: { $0.port == port })
        else { throw ThrowawayRedisError("the Sentinels do not agree on a master of \(options.name)") }
        return server
    }

    /// Waits until the Sentinels agree on a master other than `former` and it took up its role.
    @discardableResult
    package func waitForPromotion(
        after former: ThrowawayServer, within limit: Duration = .seconds(20)
    ) async throws -> ThrowawayServer {
        try await waitUntil("the Sentinels replace \(former.address)", within: limit) {
            let master = try await self.master()
            guard master !== former else { return "it is still their master" }
            return try await master.role() == .master ? nil : "\(master.address) is not promoted yet"
        }
        return try await master()
    }

    package func shutDown() async {
        await withTaskGroup(of: Void.self) { group in
            // At once, since one that hangs is waited for; the group awaits them.
            for node in sentinels + servers { group.addTask { await node.shutDown() } }
        }
        everyone.withLock { $0 = ([], []) }
    }

    private func form() async throws {
        var options = options.server
        options.port = nil
        let master = try await ThrowawayServer.start(options)
        everyone.withLock { $0.servers.append(master) }
        for _ in 0..<self.options.replicas {
            var replicaOptions = options
            replicaOptions.extra.append("replicaof \(master.host) \(master.port)")
            let replica = try await ThrowawayServer.start(replicaOptions)
            everyone.withLock { $0.servers.append(replica) }
            // Before the Sentinels: they ask the master for its replicas at once, and then only every ten seconds.
            try await waitUntil("\(replica.address) is in step", within: .seconds(10)) {
                let link = try await replica.info("master_link_status")
                return link == "up" ? nil : "master_link_status:\(link ?? "none")"
            }
        }
        for _ in 0..<self.options.sentinels {
            let sentinel = try await ThrowawayServer.startSentinel(of: master, self.options)
            everyone.withLock { $0.sentinels.append(sentinel) }
        }
        for sentinel in sentinels { try await waitUntilInformed(sentinel) }
    }

    private func waitUntilInformed(_ sentinel: ThrowawayServer) async throws {
        let expected = [
            "flags": "master", "num-slaves": "\(options.replicas)",
            "num-other-sentinels": "\(options.sentinels - 1)",
        ]
        try await waitUntil("Sentinel \(sentinel.address) knows the group", within: .seconds(15)) {
            let lines = try await sentinel.cli("SENTINEL", "MASTER", self.options.name).split(
                separator: "\n", omittingEmptySubsequences: false
            ).map(String.init)
            for (field, value) in expected {
                guard let index = lines.firstIndex(of: field), index + 1 < lines.count, lines[index + 1] == value
                else { return "its \(field) is not \(value)" }
            }
            return nil
        }
    }

    private func masterPort(of sentinel: ThrowawayServer) async throws -> Int? {
        try await sentinel.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", options.name)
            .split(separator: "\n").last.flatMap { Int($0) }
    }
}

extension ThrowawayServer {
    fileprivate static func startSentinel(
        of master: ThrowawayServer, _ group: SentinelOptions
    ) async throws -> ThrowawayServer {
        var options = ServerOptions()
        options.bind = group.server.bind
        options.tls = group.sentinelTLS ?? group.server.tls
        options.password = group.sentinelPassword
        options.extra = [
            "sentinel monitor \(group.name) \(master.host) \(master.port) \(group.quorum)",
            "sentinel down-after-milliseconds \(group.name) \(group.downAfter.milliseconds)",
            "sentinel failover-timeout \(group.name) 5000",
        ]
        // Else a Sentinel with certificates would speak TLS to servers without.
        if group.sentinelTLS != nil, group.server.tls == nil { options.extra.append("tls-replication no") }
        if let password = group.server.password {
            options.extra.append("sentinel auth-pass \(group.name) \(password.quotedForRedis)")
        }
        return try await start(options, arguments: ["--sentinel"])
    }
}
