#if MySQL
import Endpoints
import Foundation
import LeaderElection
import LeaderElectionMySQL
import Testing
import ThrowawayRedis
import ThrowawayStores

/// Rights, logins and encryption: one line that names the server and the fix, and never the password.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayMariaDB.missing == nil))
struct MySQLAccessTests {
    private func denial(_ configuration: MySQLConfiguration) async throws -> String {
        let server = try await ThrowawayMariaDB.shared
        return try await server.with(configuration) { replica in
            var denied: String?
            // A starved server may give no answer in time.
            try await eventually("it is denied") {
                let error = await replica.error { _ = try await $0.observe("election") }
                denied = error?.detail(of: .denied)
                return denied != nil
            }
            let text = try #require(denied)
            #expect(text.contains("127.0.0.1:"))
            #expect(!text.contains("secret"))
            return text
        }
    }

    @Test func aWrongPasswordAndAWrongDatabase() async throws {
        let server = try await ThrowawayMariaDB.shared
        let wrong = MySQLConfiguration(
            host: "127.0.0.1", port: server.port, user: "lapse", password: "another secret", database: "lapse")
        #expect(try await denial(wrong).contains("password file"))
        let missing = MySQLConfiguration(
            host: "127.0.0.1", port: server.port, user: "lapse", password: ThrowawayMariaDB.password,
            database: "elsewhere")
        #expect(try await denial(missing).contains("GRANT"))
    }

    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func withoutTheRightToCreateTheStatementIsPrinted(_ scheme: MySQLConfiguration.Scheme) async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = ThrowawayMariaDB.freshTable()
        let user = "u\(table)"
        try await server.sql(
            "CREATE USER \(user)@'%' IDENTIFIED BY 'p'; GRANT SELECT, INSERT, UPDATE ON lapse.* TO \(user)@'%'")
        let configuration = MySQLConfiguration(
            host: "127.0.0.1", port: server.port, user: user, password: "p", database: "lapse", scheme: scheme,
            table: table)
        let text = try await denial(configuration)
        let start = try #require(text.firstRange(of: "CREATE TABLE IF NOT EXISTS `\(table)`"))
        let end = try #require(text.firstRange(of: "ENGINE=InnoDB"))
        try await server.sql(String(text[start.lowerBound..<end.upperBound]))
        try await server.with(configuration) { replica in
            let mine = replica.claim("a")
            let vote = try await replica.take(mine)
            #expect(try await replica.renew(mine, vote) == .renewed)
            try await replica.register.release(mine, wake: false)
        }
        // The rights to read alone are not enough, and that is said too.
        try await server.sql("REVOKE INSERT, UPDATE ON lapse.* FROM \(user)@'%'")
        try await server.with(configuration) { replica in
            let error = await replica.error { _ = try await $0.acquire(replica.claim("b")) }
            guard let text = error?.detail(of: .denied) else {
                Issue.record("it is \(String(describing: error))")
                return
            }
            #expect(text.contains("GRANT SELECT, INSERT, UPDATE"))
        }
    }

    @Test func encryption() async throws {
        let certificates = try await ThrowawayCertificates.make()
        let server = try await ThrowawayMariaDB.start(certificates: certificates)
        let wrong = try await ThrowawayMariaDB.start(
            options: [
                "--ssl-cert=\(certificates.wrongName.certificate.path)",
                "--ssl-key=\(certificates.wrongName.key.path)",
            ], certificates: certificates)
        try await server.sql(
            "CREATE USER strict@'%' IDENTIFIED BY 'p' REQUIRE X509; GRANT ALL ON lapse.* TO strict@'%'")
        var configuration = MySQLConfiguration(
            host: "127.0.0.1", port: server.port, user: "strict", password: "p", database: "lapse",
            tls: .init(
                authority: certificates.authority.certificate.path,
                certificate: certificates.client.certificate.path, key: certificates.client.key.path))
        try await server.with(configuration) { replica in
            let mine = replica.claim("a")
            _ = try await replica.take(mine)
            try await replica.register.release(mine, wake: false)
        }
        configuration.tls = nil
        #expect(try await denial(configuration).contains("strict"))
        // An unknown authority, and another's name.
        var lapse = server.configuration(.heartbeat)
        lapse.tls = .init()
        #expect(try await denial(lapse).contains("certificate"))
        lapse.tls = .init(authority: certificates.authority.certificate.path)
        try await server.with(lapse) { _ = try await $0.register.observe("election") }
        lapse.port = wrong.port
        #expect(try await denial(lapse).contains("certificate"))
        // A server that knows no encryption.
        lapse.port = try await ThrowawayMariaDB.shared.port
        #expect(try await denial(lapse).contains("mysql+tls://"))
        await server.shutDown()
        await wrong.shutDown()
    }

    @Test func foreignAndUnfitTablesAreNamed() async throws {
        let server = try await ThrowawayMariaDB.shared
        let cases: [(MySQLConfiguration.Scheme, String, String)] = [
            (.heartbeat, "(a INT PRIMARY KEY)", "another table"), (.lease, "(a INT PRIMARY KEY)", "another table"),
            (
                .lease,
                """
                (action VARCHAR(100), holder VARCHAR(512), expired_at DATETIME(6), token BIGINT UNSIGNED, \
                term BIGINT UNSIGNED, rules VARCHAR(512))
                """, "ADD UNIQUE (action)"
            ),
            (
                .lease,
                """
                (action VARCHAR(100) UNIQUE, holder VARCHAR(512), expired_at TIMESTAMP, token BIGINT UNSIGNED, \
                term BIGINT UNSIGNED, rules VARCHAR(512))
                """, "DATETIME(6)"
            ),
            (.heartbeat, "(id INT PRIMARY KEY) ENGINE=Aria", "ENGINE=InnoDB"),
        ]
        for (scheme, columns, expected) in cases {
            let table = ThrowawayMariaDB.freshTable()
            try await server.sql("CREATE TABLE \(table) \(columns)")
            #expect(try await denial(server.configuration(scheme, table: table)).contains(expected))
        }
    }
}
#endif
