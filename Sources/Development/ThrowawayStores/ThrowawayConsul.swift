import Foundation
package import ThrowawayRedis

/// One Consul server, which is also the agent that clients ask, in a temporary directory of its own.
///
/// Not `-dev`: its data lies on disk, so that a restart keeps keys and sessions.
package final class ThrowawayConsul: Sendable {
    /// How the server is set up.
    package struct Options: Sendable {
        /// With it a client without a token may do nothing, and one with this token everything.
        package var managementToken: String?
        /// With it the server answers HTTPS only.
        package var tls: ServerOptions.TLS?
        /// `session_ttl_min`; Consul's own is 10 s, and a session outlives its TTL up to twice.
        package var shortestSession = "1s"

        package init() {}
    }

    package let options: Options
    private let daemon: ThrowawayDaemon

    /// Whether Consul is installed here.
    package static var isInstalled: Bool { ThrowawayDaemon.isInstalled("consul") }

    /// A running server with a leader.
    package static func start(_ options: Options = Options()) async throws -> ThrowawayConsul {
        let server = try ThrowawayConsul(options)
        do { try await server.start() } catch {
            await server.shutDown()
            throw error
        }
        return server
    }

    /// A server that was just started, for clients that are meant to fail.
    package static func startUnchecked(_ options: Options) async throws -> ThrowawayConsul {
        let server = try ThrowawayConsul(options)
        try await server.daemon.start { nil }
        return server
    }

    private init(_ options: Options) throws {
        self.options = options
        daemon = try ThrowawayDaemon("consul", ports: 4) { place in
            let file = place.directory.appending(path: "consul.json")
            let configuration = Self.configuration(options, place)
            try JSONSerialization.data(withJSONObject: configuration).write(to: file)
            return ["agent", "-config-file=\(file.path)"]
        }
    }

    /// Where it answers, on 127.0.0.1.
    package var port: Int { daemon.place.ports[0] }

    /// The process, or nil when none runs.
    package var pid: Int32? { daemon.pid }

    /// The last lines of its log.
    package var logText: String { daemon.logText }

    /// Starts the process and returns once the server can hold a session. Does nothing when it runs.
    package func start() async throws {
        try await daemon.start(within: .seconds(60)) {
            // A session needs the leader, and the health check of the node: all there is to wait for.
            try await command("lock", ["-timeout=2s", "throwaway/ready", "true"])
            return nil
        }
    }

    /// One run of `consul` as an operator with every right.
    @discardableResult
    package func command(_ name: String, _ arguments: [String]) async throws -> String {
        let words = name.split(separator: " ").map(String.init) + arguments
        return try await OperatorCommand.run("consul", words, environment: environment)
    }

    /// SIGTERM. It stays a member of its own cluster, so nothing is forgotten.
    package func stop() async { await daemon.stop() }
    /// SIGKILL.
    package func kill() async { await daemon.kill() }
    /// SIGSTOP: connections stay open and nothing answers.
    package func freeze() { daemon.freeze() }
    /// SIGCONT.
    package func resume() { daemon.resume() }
    /// Kills the process and removes the directory.
    package func shutDown() async { await daemon.shutDown() }

    private var environment: [String: String] {
        var variables = ["CONSUL_HTTP_ADDR": "\(options.tls == nil ? "http" : "https")://127.0.0.1:\(port)"]
        variables["CONSUL_HTTP_TOKEN"] = options.managementToken
        variables["CONSUL_CACERT"] = options.tls?.authority.path
        variables["CONSUL_CLIENT_CERT"] = options.tls?.clientCertificate?.path
        variables["CONSUL_CLIENT_KEY"] = options.tls?.clientKey?.path
        return variables
    }

    private static func configuration(_ options: Options, _ place: ThrowawayDaemon.Place) -> [String: Any] {
        var ports = ["dns": -1, "grpc": -1, "server": place.ports[1], "serf_lan": place.ports[2]]
        ports["serf_wan"] = place.ports[3]
        ports["http"] = options.tls == nil ? place.ports[0] : -1
        ports["https"] = options.tls == nil ? -1 : place.ports[0]
        var configuration: [String: Any] = [
            "server": true, "bootstrap_expect": 1, "node_name": "throwaway",
            "data_dir": place.directory.appending(path: "data").path, "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1", "ports": ports, "performance": ["raft_multiplier": 1],
            "session_ttl_min": options.shortestSession, "disable_update_check": true, "leave_on_terminate": false,
            "disable_host_node_id": true, "log_level": "WARN",
        ]
        if let token = options.managementToken {
            configuration["acl"] = [
                "enabled": true, "default_policy": "deny", "tokens": ["master": token, "agent": token],
            ]
        }
        if let tls = options.tls {
            configuration["ca_file"] = tls.authority.path
            configuration["cert_file"] = tls.certificate.path
            configuration["key_file"] = tls.key.path
            configuration["verify_incoming_https"] = tls.requiresClientCertificate
        }
        return configuration
    }
}
