import Foundation
package import ThrowawayRedis

/// One member of an etcd cluster in a temporary directory of its own: data, and what was printed.
package final class ThrowawayEtcd: Sendable {
    private let daemon: ThrowawayDaemon
    private let tls: ThrowawayCertificates?

    /// What must be installed.
    package static let command = "etcd"
    package static var isInstalled: Bool {
        ThrowawayDaemon.isInstalled(command) && ThrowawayDaemon.isInstalled("etcdctl")
    }

    private init(_ daemon: ThrowawayDaemon, _ tls: ThrowawayCertificates?) {
        self.daemon = daemon
        self.tls = tls
    }

    /// A cluster of one, answering.
    package static func start(tls: ThrowawayCertificates? = nil) async throws -> ThrowawayEtcd {
        try await startCluster(1, tls: tls)[0]
    }

    /// A cluster of `count` members, with a leader.
    package static func startCluster(_ count: Int, tls: ThrowawayCertificates? = nil) async throws -> [ThrowawayEtcd] {
        // Every command line names all members, so the places come first.
        let list = Peers()
        let members = try (0..<count).map { index in
            let daemon = try ThrowawayDaemon(command, ports: 2) { place in
                list.urls.append("m\(index)=http://127.0.0.1:\(place.ports[1])")
                return ["--config-file", place.directory.appending(path: "etcd.yaml").path]
            }
            return ThrowawayEtcd(daemon, tls)
        }
        let cluster = list.urls.joined(separator: ",")
        for member in members { try member.writeCluster(cluster) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            // At once: a member answers only when a majority runs. The group awaits them.
            for member in members { group.addTask { try await member.start() } }
            try await group.waitForAll()
        }
        return members
    }

    private final class Peers {
        var urls: [String] = []
    }

    /// Short heartbeats: an election of etcd's own takes half a second, its shortest lease is a second.
    private func writeCluster(_ cluster: String) throws {
        let place = daemon.place
        let name = cluster.split(separator: ",").first { $0.hasSuffix(":\(place.ports[1])") }?.split(separator: "=")[0]
        let client = "\(scheme)://127.0.0.1:\(place.ports[0])"
        let peer = "http://127.0.0.1:\(place.ports[1])"
        var text = """
            name: \(name ?? "m0")
            data-dir: \(place.directory.path)/data
            listen-client-urls: \(client)
            advertise-client-urls: \(client)
            listen-peer-urls: \(peer)
            initial-advertise-peer-urls: \(peer)
            initial-cluster: \(cluster)
            initial-cluster-token: throwaway
            initial-cluster-state: new
            heartbeat-interval: 50
            election-timeout: 500
            unsafe-no-fsync: true
            auth-token: simple
            enable-grpc-gateway: true

            """
        if let tls {
            text += """
                client-transport-security:
                  cert-file: \(tls.server.certificate.path)
                  key-file: \(tls.server.key.path)

                """
        }
        try Data(text.utf8).write(to: place.directory.appending(path: "etcd.yaml"))
    }

    private var scheme: String { tls == nil ? "http" : "https" }

    /// The port for clients.
    package var port: Int { daemon.place.ports[0] }
    package var logText: String { daemon.logText }
    package var isRunning: Bool { daemon.isRunning }

    /// Runs the process; returns once it serves linearizable reads, which takes a leader.
    package func start(user: String? = nil) async throws {
        try await daemon.start {
            try await self.control("endpoint", "health", user: user, within: .seconds(3))
            return nil
        }
    }

    package func kill() async { await daemon.kill() }
    package func stop() async { await daemon.stop() }
    package func freeze() { daemon.freeze() }
    package func resume() { daemon.resume() }
    package func shutDown() async { await daemon.shutDown() }

    /// `etcdctl`, as an operator would type it; `user` is `name:password`.
    @discardableResult
    package func control(_ words: String..., user: String? = nil, within limit: Duration = .seconds(20)) async throws
        -> String
    {
        try await control(words, user: user, within: limit)
    }

    @discardableResult
    package func control(_ words: [String], user: String? = nil, within limit: Duration = .seconds(20)) async throws
        -> String
    {
        var line = ["--endpoints", "\(scheme)://127.0.0.1:\(port)"]
        if let tls { line += ["--cacert", tls.authority.certificate.path] }
        // In the environment, since every user of the machine sees command lines.
        var environment = ["ETCDCTL_API": "3"]
        if let user { environment["ETCDCTL_USER"] = user }
        return try await OperatorCommand.run("etcdctl", line + words, environment: environment, within: limit)
    }

    /// How many leases the cluster keeps.
    package func leases(user: String? = nil) async throws -> Int {
        // "found 2 leases", then their numbers.
        let lines = try await control("lease", "list", user: user).split(separator: "\n")
        return lines.count { !$0.hasPrefix("found") }
    }

    /// Whether this member leads etcd's own cluster.
    package func isEtcdLeader() async throws -> Bool {
        let fields = try await control("endpoint", "status").split(separator: ",")
        return fields.count > 4 && fields[4].contains("true")
    }

    /// Switches authentication on: `root`, and `user` who may read and write below `prefix` only.
    package func requireLogin(user: String, password: String, prefix: String) async throws {
        try await control("user", "add", "root:root")
        try await control("user", "grant-role", "root", "root")
        try await control("role", "add", "lapse")
        try await control("role", "grant-permission", "lapse", "--prefix=true", "readwrite", prefix)
        try await control("user", "add", "\(user):\(password)")
        try await control("user", "grant-role", user, "lapse")
        try await control("auth", "enable")
    }
}
