import Foundation
package import ThrowawayRedis

/// One MariaDB server with data, port and socket of its own, a database `lapse`, and a user `lapse`
/// that owns it.
package final class ThrowawayMariaDB: Sendable {
    package static let database = "lapse"
    package static let user = "lapse"
    package static let password = "it's \"secret\"; --\\"

    /// What must be installed, if it is not.
    package static var missing: String? {
        ["mariadbd", "mariadb-install-db", "mariadb"].first { !ThrowawayDaemon.isInstalled($0) }
    }

    package let daemon: ThrowawayDaemon
    private let socket: URL

    package var port: Int { daemon.place.ports[0] }

    private init(_ template: URL, options: [String], certificates: ThrowawayCertificates?) throws {
        daemon = try ThrowawayDaemon("mariadbd", ports: 1) { place in
            let data = place.directory.appending(path: "data")
            try FileManager.default.copyItem(at: template, to: data)
            let file = place.directory.appending(path: "init.sql")
            try Data(Self.firstStatements.utf8).write(to: file)
            var tls: [String] = []
            if let certificates {
                tls = [
                    "--ssl-ca=\(certificates.authority.certificate.path)",
                    "--ssl-cert=\(certificates.server.certificate.path)",
                    "--ssl-key=\(certificates.server.key.path)",
                ]
            }
            return [
                "--no-defaults", "--user=root", "--datadir=\(data.path)", "--init-file=\(file.path)",
                "--port=\(place.ports[0])", "--bind-address=127.0.0.1",
                "--socket=\(place.directory.appending(path: "socket").path)",
                "--pid-file=\(place.directory.appending(path: "pid").path)", "--skip-name-resolve",
                "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--max-connections=400",
                "--performance-schema=OFF",
                // A server removes the temporary tables that it finds there at its start: those of its neighbours, in
                // a shared folder.
                "--tmpdir=\(place.directory.path)",
            ] + tls + options
        }
        socket = daemon.place.directory.appending(path: "socket")
    }

    /// A running server. `options` are added to its command line.
    package static func start(
        options: [String] = [], certificates: ThrowawayCertificates? = nil
    ) async throws -> ThrowawayMariaDB {
        let template = try await Template.shared.directory()
        let server = try ThrowawayMariaDB(template, options: options, certificates: certificates)
        try await server.start()
        return server
    }

    /// Starts the process again, on the same port and data.
    package func start() async throws {
        try await daemon.start { [self] in
            _ = try await sql("SELECT 1")
            return nil
        }
    }

    /// Runs SQL as the operator does, through the server's socket and its own tool; answers tab-separated
    /// lines.
    @discardableResult
    package func sql(_ statements: String, database: String = ThrowawayMariaDB.database) async throws -> String {
        try await OperatorCommand.run(
            "mariadb",
            ["--no-defaults", "--socket=\(socket.path)", "--user=root", "--batch", "--skip-column-names", database],
            input: statements, within: .seconds(30))
    }

    package func shutDown() async { await daemon.shutDown() }

    private static var firstStatements: String {
        let password = password.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "'", with: "''")
        // One statement a line: that is all the server reads here.
        return """
            SET SESSION sql_mode = '';
            CREATE DATABASE IF NOT EXISTS \(database);
            CREATE USER IF NOT EXISTS '\(user)'@'%' IDENTIFIED BY '\(password)';
            GRANT ALL ON \(database).* TO '\(user)'@'%';

            """
    }

    /// An empty data directory, made once for all servers of this process.
    private actor Template {
        static let shared = Template()
        private var made: Task<ThrowawayDaemon, any Error>?

        func directory() async throws -> URL {
            // A task, so that servers that start at once wait for the same one; each of them awaits it.
            let making = made ?? Task { try await Self.make() }
            made = making
            return try await making.value.place.directory.appending(path: "data")
        }

        /// The daemon never runs: it owns the directory.
        private static func make() async throws -> ThrowawayDaemon {
            let owner = try ThrowawayDaemon("mariadbd", ports: 1) { _ in [] }
            try await OperatorCommand.run(
                "mariadb-install-db",
                [
                    "--no-defaults", "--user=root", "--datadir=\(owner.place.directory.appending(path: "data").path)",
                    "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                    "--innodb-log-file-size=4M",
                ], within: .seconds(120))
            return owner
        }
    }
}
