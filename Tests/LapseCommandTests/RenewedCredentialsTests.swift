import Foundation
import Testing
import ThrowawayRedis
import ThrowawayStores

/// Passwords and certificates that are renewed while the service runs, with all connections cut.
@Suite(.timeLimit(.minutes(2)), .serialized) struct RenewedCredentialsTests {
    private func waitForLeader(_ child: LapseBinary.Child) async throws {
        try await waitUntil("it leads", within: .seconds(20)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
    }

    private func isSubscribed(_ child: LapseBinary.Child, times: Int) async throws {
        try await waitUntil("it is subscribed again", within: .seconds(20)) {
            let count = child.text.errors.split(separator: "\n").count { $0.contains(" subscribed ") }
            return count >= times ? nil : child.text.errors
        }
    }

    @Test func aRenewedPasswordNeedsNoRestart() async throws {
        var options = ServerOptions()
        options.password = "first"
        let server = try await ThrowawayServer.start(options)
        let file = try TemporaryFile("first\n")
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--redis-password-file", file.path, "--lease-ttl", "1s"]
                + ["--handler", "ndjson", "--admin", "off"])
        try await waitForLeader(child)
        try await server.script(["CONFIG SET requirepass second", "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal"])
        // The servers have the new password before this host does.
        try await waitUntil("it is refused", within: .seconds(20)) {
            child.text.errors.contains("WRONGPASS") ? nil : child.text.errors
        }
        try Data("second\n".utf8).write(to: URL(filePath: file.path), options: .atomic)
        try await isSubscribed(child, times: 2)
        _ = try await server.cli("-a", "second", "--no-auth-warning", "SET", "k", "v", "PX", "20")
        try await waitUntil("it handles", within: .seconds(20)) {
            child.lines.contains { $0.contains(#""key":"k""#) } ? nil : "\(child.text)"
        }
        child.signal(15)
        #expect(try await child.end().code == 0)
        #expect(!child.text.errors.contains("second"))
        await server.shutDown()
    }

    @Test func renewedCertificatesNeedNoRestart() async throws {
        let (first, second) = (try await ThrowawayCertificates.make(), try await ThrowawayCertificates.make())
        defer {
            first.remove()
            second.remove()
        }
        var options = ServerOptions()
        options.tls = first.tls(requiresClientCertificate: true)
        let server = try await ThrowawayServer.start(options)
        let child = try LapseBinary.start(
            ["run", "--redis", "rediss://\(server.address)", "--lease-ttl", "1s", "--admin", "off"]
                + ["--tls-ca", first.authority.certificate.path, "--tls-cert", first.client.certificate.path]
                + ["--tls-key", first.client.key.path])
        try await waitForLeader(child)
        try await server.stop()
        let files = [
            (second.authority.certificate, first.authority.certificate),
            (second.server.certificate, first.server.certificate),
            (second.server.key, first.server.key), (second.client.certificate, first.client.certificate),
            (second.client.key, first.client.key),
        ]
        for (new, old) in files { try Data(contentsOf: new).write(to: old, options: .atomic) }
        try await server.start()
        try await isSubscribed(child, times: 2)
        child.signal(15)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    @Test func sentinelsMayHaveAPasswordOfTheirOwn() async throws {
        var options = SentinelOptions()
        options.sentinelPassword = "watch"
        options.server.password = "data"
        options.replicas = 0
        options.sentinels = 1
        options.quorum = 1
        let group = try await ThrowawaySentinel.start(options)
        let (servers, sentinels) = (try TemporaryFile("data\n"), try TemporaryFile("watch\n"))
        let url = group.url
        let refused = try await LapseBinary.run(["status", "--redis", url, "--redis-password-file", servers.path])
        #expect(refused.code == 77, "\(refused)")
        let run = try await LapseBinary.run(
            ["status", "--redis", url, "--redis-password-file", servers.path]
                + ["--sentinel-password-file", sentinels.path])
        #expect(run.code == 1 && run.output.contains("leader    none"), "\(run)")
        await group.shutDown()
    }

    /// A service that starts with its servers: what is refused at first is let in when they are set up.
    @Test func aRefusalMayPassWithinTheStartupTimeout() async throws {
        let server = try await ThrowawayServer.start()
        let file = try TemporaryFile("later\n")
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--redis-password-file", file.path, "--lease-ttl", "1s"]
                + ["--startup-timeout", "1m", "--admin", "off"])
        try await waitUntil("it is refused", within: .seconds(20)) {
            child.text.errors.contains("waiting for Redis") ? nil : child.text.errors
        }
        _ = try await server.cli("CONFIG", "SET", "requirepass", "later")
        try await waitForLeader(child)
        child.signal(15)
        #expect(try await child.end().code == 0)
        await server.shutDown()
    }

    /// What a server says before it closes the connection reaches the operator.
    @Test func tooManyClientsIsTheReason() async throws {
        let server = try await ThrowawayServer.start()
        // The one that sets it is let go when the next one comes.
        _ = try await server.script(["CONFIG SET maxclients 1"])
        let holder = try HeldConnection(port: server.port)
        for subcommand in ["doctor", "status", "run"] {
            let run = try await LapseBinary.run(
                [subcommand, "--redis", server.url, "--startup-timeout", "300ms"]
                    + (subcommand == "run" ? ["--admin", "off"] : []))
            #expect(run.code == 69, "\(run)")
            #expect(run.lastLine.contains("max number of clients reached"), "\(run.errors)")
        }
        holder.close()
        await server.shutDown()
    }
}

/// A connection that says nothing and stays.
private final class HeldConnection {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0)
    }

    func close() { _ = Foundation.close(descriptor) }
}

/// The same for the stores of an election.
@Suite(.timeLimit(.minutes(2)), .serialized) struct RenewedStoreCredentialsTests {
    private static let patient = "echo up; trap 'exit 3' TERM; while :; do sleep 0.02; done"

    private func start(_ store: [String], _ file: TemporaryFile) async throws -> LapseBinary.Child {
        let child = try LapseBinary.start(
            ["elect", "--lease-ttl", "4s", "--store-password-file", file.path, "--log-level", "debug"] + store
                + ["--", "sh", "-c", Self.patient])
        try await waitUntil("the program runs", within: .seconds(20)) {
            child.lines.contains("up") ? nil : "\(child.text)"
        }
        return child
    }

    /// The renewals of one lease and more have come through since.
    private func waitForRenewals(_ child: LapseBinary.Child) async throws {
        let before = child.text.errors.split(separator: "\n").count { $0.contains("lease renewed") }
        try await waitUntil("the lease is renewed", within: .seconds(20)) {
            let count = child.text.errors.split(separator: "\n").count { $0.contains("lease renewed") }
            return count >= before + 4 ? nil : child.text.errors
        }
    }

    private func end(_ child: LapseBinary.Child) async throws {
        child.signal(15)
        let run = try await child.end()
        #expect(run.code == 3, "\(run.errors)")
        #expect(run.errors.contains("leadership released") && !run.errors.contains("leadership lost"), "\(run.errors)")
    }

    @Test(.enabled(if: ThrowawayEtcd.isInstalled)) func aRenewedPasswordOfEtcdNeedsNoRestart() async throws {
        let server = try await ThrowawayEtcd.start()
        try await server.requireLogin(user: "ann", password: "first", prefix: "/test/")
        let file = try TemporaryFile("first")
        let child = try await start(["--store", "etcd://ann@127.0.0.1:\(server.port)/test"], file)
        // First the file, as a tool that rotates secrets does: the token at hand still serves.
        try Data("second".utf8).write(to: URL(filePath: file.path), options: .atomic)
        let root = "root:root"
        try await server.control("user", "delete", "ann", user: root)
        try await server.control("user", "add", "ann:second", user: root)
        try await server.control("user", "grant-role", "ann", "lapse", user: root)
        try await waitForRenewals(child)
        try await end(child)
        await server.shutDown()
    }

    #if MySQL
    @Test(.enabled(if: ThrowawayMariaDB.missing == nil)) func aRenewedPasswordOfMySQLNeedsNoRestart() async throws {
        let server = try await ThrowawayMariaDB.start()
        let file = try TemporaryFile(ThrowawayMariaDB.password)
        let account = "\(ThrowawayMariaDB.user)@127.0.0.1:\(server.port)/\(ThrowawayMariaDB.database)"
        let child = try await start(["--store", "mysql://\(account)?scheme=lease"], file)
        try Data("second".utf8).write(to: URL(filePath: file.path), options: .atomic)
        let user = ThrowawayMariaDB.user
        let hosts = try await server.sql("SELECT host FROM mysql.user WHERE user = '\(user)'")
        let host = try #require(hosts.split(separator: "\n").last)
        try await server.sql("SET PASSWORD FOR '\(user)'@'\(host)' = PASSWORD('second')")
        // Cuts what is connected.
        let list = try await server.sql("SELECT id FROM information_schema.processlist WHERE user = '\(user)'")
        for id in list.split(separator: "\n").compactMap({ Int($0) }) { try await server.sql("KILL \(id)") }
        try await waitForRenewals(child)
        try await end(child)
        await server.shutDown()
    }
    #endif

    @Test(.enabled(if: ThrowawayConsul.isInstalled)) func aRenewedTokenOfConsulNeedsNoRestart() async throws {
        var options = ThrowawayConsul.Options()
        options.managementToken = "00000000-0000-0000-0000-00000000000a"
        let server = try await ThrowawayConsul.start(options)
        let tokens = (1...2).map { "11111111-2222-3333-4444-00000000000\($0)" }
        for token in tokens {
            try await server.command(
                "acl token create", ["-accessor=\(token)", "-secret=\(token)", "-policy-name=global-management"])
        }
        let file = try TemporaryFile(tokens[0])
        let child = try await start(["--store", "consul://127.0.0.1:\(server.port)/test"], file)
        try Data(tokens[1].utf8).write(to: URL(filePath: file.path), options: .atomic)
        try await server.command("acl token delete", ["-id=\(tokens[0])"])
        try await waitForRenewals(child)
        try await end(child)
        await server.shutDown()
    }
}
