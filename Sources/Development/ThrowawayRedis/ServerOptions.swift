package import Foundation

/// How a throwaway server is set up.
package struct ServerOptions: Sendable {
    /// The files of a TLS server. With them the server answers TLS only.
    package struct TLS: Sendable {
        package var certificate: URL
        package var key: URL
        package var authority: URL
        /// Whether clients must show a certificate of their own (mutual TLS).
        package var requiresClientCertificate: Bool
        /// What `redis-cli` shows; the server's own pair when nil.
        package var clientCertificate: URL?
        package var clientKey: URL?

        package init(
            certificate: URL, key: URL, authority: URL, requiresClientCertificate: Bool = false,
            clientCertificate: URL? = nil, clientKey: URL? = nil
        ) {
            self.certificate = certificate
            self.key = key
            self.authority = authority
            self.requiresClientCertificate = requiresClientCertificate
            self.clientCertificate = clientCertificate
            self.clientKey = clientKey
        }
    }

    /// The server program: `THROWAWAY_REDIS_SERVER`, else `redis-server`.
    package var program = ProcessInfo.processInfo.environment["THROWAWAY_REDIS_SERVER"] ?? "redis-server"
    /// The port, or nil for a free one below 20000.
    package var port: Int?
    /// Addresses to listen on; the first one is announced.
    package var bind = ["127.0.0.1"]
    /// `requirepass`, and `masterauth` for replication.
    package var password: String?
    /// ACL lines such as `user alice on >secret ~* &* +@all`.
    package var users: [String] = []
    package var tls: TLS?
    package var appendOnly = false
    /// `save` points such as `900 1`; empty for no snapshots.
    package var save = ""
    /// `notify-keyspace-events`; empty for none.
    package var notifications = "Ex"
    package var databases = 16
    /// Further lines of redis.conf; they come last and win.
    package var extra: [String] = []

    package init() {}

    var host: String { bind.first ?? "127.0.0.1" }
    func address(_ port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The text of redis.conf, except what only its role knows.
    func configuration(port: Int, directory: URL) -> String {
        var lines = [
            "bind \(bind.joined(separator: " "))", "protected-mode no", "daemonize no", "databases \(databases)",
            "dir \(directory.path)", "logfile \(directory.path)/redis.log", "pidfile \(directory.path)/redis.pid",
            "appendonly \(appendOnly ? "yes" : "no")", "save \"\(save)\"",
            "notify-keyspace-events \"\(notifications)\"",
            // The default waits five seconds for more replicas before each full synchronisation.
            "repl-diskless-sync-delay 0",
        ]
        if let tls {
            lines += [
                "port 0", "tls-port \(port)", "tls-cert-file \(tls.certificate.path)",
                "tls-key-file \(tls.key.path)", "tls-ca-cert-file \(tls.authority.path)",
                "tls-auth-clients \(tls.requiresClientCertificate ? "yes" : "no")",
                "tls-replication yes", "tls-cluster yes",
            ]
        } else {
            lines.append("port \(port)")
        }
        if let word = password?.quotedForRedis { lines += ["requirepass \(word)", "masterauth \(word)"] }
        return (lines + users + extra).joined(separator: "\n") + "\n"
    }
}
