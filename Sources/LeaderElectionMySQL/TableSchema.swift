#if MySQL
import LeaderElection

/// What a scheme's table must look like, and the statements that make it so.
struct TableSchema: Sendable {
    let scheme: MySQLConfiguration.Scheme
    let table: Identifier
    let name: String
    let row: UInt32

    /// What the server says of one column.
    struct Column: Sendable, Equatable {
        var type: String
        /// Digits behind the second; 0 also for what is no time.
        var precision: Int
        var isUnique: Bool
    }

    /// A table that can be used, or what to run first.
    enum Verdict: Sendable, Equatable {
        case usable(TableLayout.Form)
        /// Usable for one election only; `migration` would lift that.
        case limited(TableLayout.Form, migration: String)
        case missing
        case unfit(reason: String, fix: String)
    }

    private static let articleColumns = ["id", "master", "version", "update_time"]
    private static let added: [(name: String, definition: String)] = [
        ("election", "VARBINARY(255) NULL UNIQUE"), ("ttl_us", "BIGINT UNSIGNED NOT NULL DEFAULT 0"),
        ("token", "BIGINT UNSIGNED NOT NULL DEFAULT 0"), ("term", "BIGINT UNSIGNED NOT NULL DEFAULT 0"),
        ("rules", "VARBINARY(512) NOT NULL DEFAULT ''"),
    ]
    private static let leaseColumns = ["action", "holder", "expired_at"]
    private static let leaseAdded = added.filter { ["token", "term", "rules"].contains($0.name) }

    var create: String {
        switch scheme {
        case .heartbeat:
            """
            CREATE TABLE IF NOT EXISTS \(table) (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
            master VARBINARY(512) NOT NULL, version BIGINT UNSIGNED NOT NULL, update_time DATETIME(6) NOT NULL, \
            \(Self.definitions(Self.added))) ENGINE=InnoDB
            """
        case .lease:
            """
            CREATE TABLE IF NOT EXISTS \(table) (action VARBINARY(255) NOT NULL PRIMARY KEY, \
            holder VARBINARY(512) NOT NULL, expired_at DATETIME(6) NOT NULL, \
            \(Self.definitions(Self.leaseAdded))) ENGINE=InnoDB
            """
        }
    }

    private static func definitions(_ columns: [(name: String, definition: String)], _ verb: String = "") -> String {
        columns.map { "\(verb)\($0.name) \($0.definition)" }.joined(separator: ", ")
    }

    /// One line per column: name, type, digits behind the second, 1 if unique by itself, engine.
    var look: String {
        """
        SELECT c.COLUMN_NAME, c.DATA_TYPE, COALESCE(c.DATETIME_PRECISION, 0), EXISTS (SELECT 1 FROM \
        information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME \
        AND s.COLUMN_NAME = c.COLUMN_NAME AND s.NON_UNIQUE = 0 AND s.SUB_PART IS NULL AND NOT EXISTS (SELECT 1 FROM \
        information_schema.STATISTICS o WHERE o.TABLE_SCHEMA = s.TABLE_SCHEMA AND o.TABLE_NAME = s.TABLE_NAME \
        AND o.INDEX_NAME = s.INDEX_NAME AND o.SEQ_IN_INDEX > 1)), t.ENGINE FROM information_schema.COLUMNS c JOIN \
        information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
        WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = '\(table.bare)'
        """
    }

    /// `columns` by their names in lower case.
    func verdict(on columns: [String: Column], engine: String) -> Verdict {
        if columns.isEmpty { return .missing }
        guard engine.lowercased() == "innodb" else {
            return .unfit(
                reason: "the engine of \(table) is \(engine)", fix: "ALTER TABLE \(table) ENGINE=InnoDB")
        }
        switch scheme {
        case .heartbeat: return heartbeatVerdict(columns)
        case .lease: return leaseVerdict(columns)
        }
    }

    private func heartbeatVerdict(_ columns: [String: Column]) -> Verdict {
        let lacking = Self.articleColumns.filter { columns[$0] == nil }
        guard lacking.isEmpty, let version = columns["version"], let time = columns["update_time"] else {
            return foreign(lacking)
        }
        let extra = Self.added.filter { columns[$0.name] == nil }
        if extra.isEmpty {
            return unique("election", columns) ?? precise("update_time", columns) ?? .usable(.heartbeat)
        }
        guard extra.count == Self.added.count else {
            return .unfit(reason: "\(table) was migrated by half", fix: migration(extra))
        }
        let form = TableLayout.Form.article(
            row: row, isWhole: time.precision < 6, hasBigVersion: version.type == "bigint")
        return unique("id", columns) ?? .limited(form, migration: migration(extra))
    }

    private func leaseVerdict(_ columns: [String: Column]) -> Verdict {
        let lacking = Self.leaseColumns.filter { columns[$0] == nil }
        guard lacking.isEmpty else { return foreign(lacking) }
        let extra = Self.leaseAdded.filter { columns[$0.name] == nil }
        guard extra.isEmpty else {
            let names = extra.map(\.name).joined(separator: ", ")
            return .unfit(
                reason: "\(table) lacks \(names)",
                fix: """
                    SET time_zone = '+00:00'; ALTER TABLE \(table) \(Self.definitions(extra, "ADD COLUMN ")), \
                    MODIFY holder VARBINARY(512) NOT NULL, MODIFY expired_at DATETIME(6) NOT NULL
                    """)
        }
        return unique("action", columns) ?? precise("expired_at", columns) ?? .usable(.lease)
    }

    private func foreign(_ lacking: [String]) -> Verdict {
        .unfit(
            reason: "\(table) is another table: it lacks \(lacking.joined(separator: ", "))",
            fix: "choose another one with ?table=NAME")
    }

    private func unique(_ column: String, _ columns: [String: Column]) -> Verdict? {
        guard columns[column]?.isUnique != true else { return nil }
        return .unfit(
            reason: "\(column) of \(table) is not unique", fix: "ALTER TABLE \(table) ADD UNIQUE (\(column))")
    }

    private func precise(_ column: String, _ columns: [String: Column]) -> Verdict? {
        guard let found = columns[column], found.type != "datetime" || found.precision < 6 else { return nil }
        return .unfit(
            reason: "\(column) of \(table) is no DATETIME(6)",
            fix: "SET time_zone = '+00:00'; ALTER TABLE \(table) MODIFY \(column) DATETIME(6) NOT NULL")
    }

    /// Run while no replica is: a row per election, with the article's row as this election's. The version
    /// never falls, so neither does the token.
    private func migration(_ extra: [(name: String, definition: String)]) -> String {
        """
        SET time_zone = '+00:00'; ALTER TABLE \(table) \(Self.definitions(extra, "ADD COLUMN ")), \
        MODIFY master VARBINARY(512) NOT NULL, MODIFY version BIGINT UNSIGNED NOT NULL, \
        MODIFY update_time DATETIME(6) NOT NULL; UPDATE \(table) SET election = \(name.sqlLiteral), token = version, \
        term = version WHERE id = \(row)
        """
    }
}
#endif
