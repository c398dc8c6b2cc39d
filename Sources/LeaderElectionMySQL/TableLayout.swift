#if MySQL
import LeaderElection

/// The statements of one election in one table. All times in them are the server's.
///
/// UTC throughout: no time zone, and no change to summer time, moves a lease. `UTC_TIMESTAMP` is the
/// time at which the statement began, and it is replicated with it, so that statement-based replication
/// writes the same.
struct TableLayout: Sendable, Equatable {
    enum Form: Sendable, Equatable {
        /// `host_master` with a row for each election.
        case heartbeat
        /// The article's `host_master` as it stands: no column but `id`, `master`, `version`, `update_time`.
        case article(row: UInt32, isWhole: Bool, hasBigVersion: Bool)
        case lease
    }

    let form: Form
    let table: Identifier
    let name: String

    private static let now = "UTC_TIMESTAMP(6)"

    private var key: String {
        switch form {
        case .heartbeat: "election = \(name.sqlLiteral)"
        case .article(let row, _, _): "id = \(row)"
        case .lease: "action = \(name.sqlLiteral)"
        }
    }

    private var holder: String {
        switch form {
        case .heartbeat, .article: "master"
        case .lease: "holder"
        }
    }

    /// When the lease ends. The article's table does not say how long its holder's is: as long as the
    /// asker's. Its whole seconds may be up to one too early.
    private func end(_ ttl: Duration?) -> String {
        switch form {
        case .heartbeat: return "(update_time + INTERVAL ttl_us MICROSECOND)"
        case .article(_, let isWhole, _):
            guard let ttl else { return "NULL" }
            return "(update_time + INTERVAL \(ttl.microseconds + (isWhole ? 1_000_000 : 0)) MICROSECOND)"
        case .lease: return "expired_at"
        }
    }

    /// One line, also when there is no row: holder, version, token, term, rules, microseconds left, clock,
    /// whether the server only reads, whether it flushes each commit. The clock is in milliseconds, or in
    /// seconds where the version is a narrow number: then a deleted row's token is outgrown only if it was
    /// written less than once a second.
    func look(ttl: Duration?) -> String {
        let counters =
            switch form {
            case .heartbeat: "version, token, term, CAST(rules AS BINARY)"
            case .article: "version, version, version, NULL"
            case .lease: "token, token, term, CAST(rules AS BINARY)"
            }
        let unit = if case .article(_, _, hasBigVersion: false) = form { 1 } else { 1000 }
        return """
            SELECT CAST(\(holder) AS BINARY), \(counters), \
            TIMESTAMPDIFF(MICROSECOND, \(Self.now), \(end(ttl))), \
            CAST(FLOOR(UNIX_TIMESTAMP(NOW(6)) * \(unit)) AS UNSIGNED), \
            @@global.read_only, @@global.innodb_flush_log_at_trx_commit \
            FROM (SELECT 1 AS one) AS one LEFT JOIN \(table) ON \(key)
            """
    }

    /// The write, which matches one row if `row` is still as it was read, and otherwise none.
    func statement(_ change: RowChange, on row: LeaseRow?, for claim: Claim) -> String {
        let ttl = "\(claim.ttl.microseconds)"
        let value = claim.value.sqlLiteral
        let rules = LeaseRow.text(rules: claim.rules, purpose: claim.purpose).sqlLiteral
        switch change {
        case .insert(let token, let term):
            switch form {
            case .heartbeat:
                return """
                    INSERT INTO \(table) (election, master, version, update_time, ttl_us, token, term, rules) VALUES \
                    (\(name.sqlLiteral), \(value), \(token), \(Self.now), \(ttl), \(token), \(term), \(rules))
                    """
            case .article(let row, _, _):
                return """
                    INSERT INTO \(table) (id, master, version, update_time) VALUES \
                    (\(row), \(value), \(token), \(Self.now))
                    """
            case .lease:
                return """
                    INSERT INTO \(table) (action, holder, expired_at, token, term, rules) VALUES \
                    (\(name.sqlLiteral), \(value), \(Self.now) + INTERVAL \(ttl) MICROSECOND, \(token), \(term), \(rules))
                    """
            }
        case .take(let token, let term):
            let free = "(\(holder) = '' OR \(end(claim.ttl)) <= \(Self.now))"
            return update(row, "\(holder) = \(value), \(start(ttl, token, term, rules))", if: free)
        case .extend(let token, let term):
            return update(row, start(ttl, token, term, rules), if: "\(end(claim.ttl)) > \(Self.now)")
        case .clear:
            return update(row, "\(holder) = '', \(counters(row, row?.token ?? 0, row?.term ?? 0))", if: "1 = 1")
        }
    }

    private func update(_ row: LeaseRow?, _ assignments: String, if condition: String) -> String {
        let version = if case .lease = form { "token" } else { "version" }
        return """
            UPDATE \(table) SET \(assignments) WHERE \(key) \
            AND CAST(\(holder) AS BINARY) = \((row?.holder ?? "").sqlLiteral) \
            AND \(version) = \(row?.version ?? 0) AND \(condition)
            """
    }

    /// The lease runs from now.
    private func start(_ ttl: String, _ token: UInt64, _ term: UInt64, _ rules: String) -> String {
        switch form {
        case .heartbeat:
            "update_time = \(Self.now), ttl_us = \(ttl), rules = \(rules), \(version(token)), token = \(token), term = \(term)"
        case .article: "update_time = \(Self.now), \(version(max(token, term)))"
        case .lease:
            "expired_at = \(Self.now) + INTERVAL \(ttl) MICROSECOND, rules = \(rules), token = \(token), term = \(term)"
        }
    }

    private func counters(_ row: LeaseRow?, _ token: UInt64, _ term: UInt64) -> String {
        switch form {
        case .heartbeat: "\(version(token)), token = \(token), term = \(term)"
        case .article: version(max(token, term))
        case .lease: "token = \(token), term = \(term)"
        }
    }

    /// Every write raises the version, and it is never below the token.
    private func version(_ token: UInt64) -> String { "version = GREATEST(version + 1, \(token))" }
}
#endif
