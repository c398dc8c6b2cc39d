#if MySQL
import Foundation
import ThrowawayStores

/// The article's election over `host_master`, with its mistakes: what a replica does every ten seconds.
struct FaultyHostMaster {
    let server: ThrowawayMariaDB
    let table: String
    let host: String

    struct Seen {
        var master: String
        var version: Int
        var updated: Int
    }

    static func create(_ server: ThrowawayMariaDB) async throws -> String {
        let table = ThrowawayMariaDB.freshTable()
        try await server.sql(
            """
            CREATE TABLE \(table) (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, master VARCHAR(64) NOT NULL,
              version INT NOT NULL, update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
            INSERT INTO \(table) (master, version, update_time) VALUES ('', 0, '2001-01-01');
            """)
        return table
    }

    func look() async throws -> Seen {
        let cells = try await server.sql("SELECT master, version, UNIX_TIMESTAMP(update_time) FROM \(table)")
            .split(separator: "\n")[0].split(separator: "\t", omittingEmptySubsequences: false)
        return Seen(master: String(cells[0]), version: Int(cells[1]) ?? 0, updated: Int(cells[2]) ?? 0)
    }

    /// Answers whether the replica takes itself for the leader now: there was no error.
    func act(on seen: Seen, clientNow: Int) async throws -> Bool {
        if seen.master == host || clientNow - seen.updated > 30 {
            // How many rows the compare-and-set met is not looked at.
            try await server.sql(
                """
                UPDATE \(table) SET master = '\(host)', version = version + 1, update_time = NOW()
                WHERE version = \(seen.version)
                """)
            return true
        }
        return false
    }
}

/// The article's lease table, with its mistakes.
final class FaultyLeaseTable {
    let server: ThrowawayMariaDB
    let table: String
    let holder: String
    /// A channel of that program: closing it a second time is a panic.
    private(set) var closes = 0

    init(_ server: ThrowawayMariaDB, _ table: String, holder: String) {
        self.server = server
        self.table = table
        self.holder = holder
    }

    static func create(_ server: ThrowawayMariaDB) async throws -> String {
        let table = ThrowawayMariaDB.freshTable()
        try await server.sql(
            """
            CREATE TABLE \(table) (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, action VARCHAR(64) NOT NULL UNIQUE,
              holder VARCHAR(64) NOT NULL, expired_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
            """)
        return table
    }

    func lock(_ action: String, clientNow: Int, lasts seconds: Int = 30) async throws -> Bool {
        // Sweeps the rows of every action, by the client's clock.
        try await server.sql("DELETE FROM \(table) WHERE expired_at < FROM_UNIXTIME(\(clientNow))")
        let insert = """
            INSERT INTO \(table) (action, holder, expired_at) VALUES \
            ('\(action)', '\(holder)', FROM_UNIXTIME(\(clientNow + seconds)))
            """
        do { try await server.sql(insert) } catch { return false }
        return true
    }

    func refresh(_ action: String, clientNow: Int) async throws {
        try await server.sql(
            """
            UPDATE \(table) SET expired_at = FROM_UNIXTIME(\(clientNow + 30))
            WHERE action = '\(action)' AND holder = '\(holder)'
            """)
    }

    /// The error of the deletion is swallowed.
    func unlock(_ action: String) async {
        _ = try? await server.sql("DELETE FROM \(table) WHERE action = '\(action)' AND holder = '\(holder)'")
        closes += 1
    }

    func isLive(_ action: String) async throws -> Bool {
        try await server.value(
            "SELECT COUNT(*) FROM \(table) WHERE action = '\(action)' AND expired_at > NOW()") == "1"
    }
}
#endif
