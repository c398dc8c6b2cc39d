#if MySQL
import LeaderElection
import Logging

/// The connection, what it knows of the server and the table, and how an operation is done on it.
///
/// Lives on the database's thread: every call here may block, for as long as the configuration's
/// timeout.
struct DatabaseSession {
    let client: DatabaseClient
    let configuration: MySQLConfiguration
    let name: String
    let logger: Logger
    private var layout: TableLayout?
    private var hasToldLimit = false

    init(client: DatabaseClient, configuration: MySQLConfiguration, name: String, logger: Logger) {
        self.client = client
        self.configuration = configuration
        self.name = name
        self.logger = logger
    }

    /// How often a row that others write meanwhile is read again.
    private static let attempts = 8

    /// Looks at the row, decides, writes if the row is still the same, and answers.
    ///
    /// Safe to do again: a claim that was granted without an answer finds itself in the row. So behind a
    /// dead connection everything is done once more on a new one. A connection made for this operation, and
    /// an answer that came too late, get no second try here.
    mutating func perform<Answer>(
        ttl: Duration?, claim: Claim?, decide: (SeenRow) -> RowStep<Answer>
    ) throws(DatabaseFailure) -> Answer {
        let wasConnected = client.isConnected
        do throws(DatabaseFailure) {
            return try attempt(ttl: ttl, claim: claim, decide: decide)
        } catch {
            guard wasConnected, error.kind == .lost else { throw error }
            return try attempt(ttl: ttl, claim: claim, decide: decide)
        }
    }

    private mutating func attempt<Answer>(
        ttl: Duration?, claim: Claim?, decide: (SeenRow) -> RowStep<Answer>
    ) throws(DatabaseFailure) -> Answer {
        let start = ContinuousClock.now
        do throws(DatabaseFailure) {
            let layout = try connected()
            return try compareAndSet(layout, ttl: ttl, claim: claim, decide: decide)
        } catch {
            if error.endsConnection || error.kind == .readOnly { client.disconnect() }
            // The table may have been changed or dropped.
            if error.kind == .denied || error.kind == .unexpected { layout = nil }
            // libmariadb calls a silent server and a dead one the same.
            guard error.kind == .lost, ContinuousClock.now - start >= .seconds(configuration.timeoutSeconds) else {
                throw error
            }
            throw DatabaseFailure(.timedOut, number: error.number, error.text)
        }
    }

    private func compareAndSet<Answer>(
        _ layout: TableLayout, ttl: Duration?, claim: Claim?, decide: (SeenRow) -> RowStep<Answer>
    ) throws(DatabaseFailure) -> Answer {
        var last = DatabaseFailure(.contended, "others write the row all the time")
        for _ in 0..<Self.attempts {
            let seen = try look(layout, ttl: ttl)
            do throws(DatabaseFailure) {
                switch decide(seen) {
                case .answer(let answer): return answer
                case .write(let change, let answer):
                    guard let claim else { return answer }
                    let statement = layout.statement(change, on: seen.row, for: claim)
                    if try client.write(statement) == 1 { return answer }
                }
            } catch {
                guard error.kind == .contended || error.kind == .duplicate else { throw error }
                last = DatabaseFailure(.contended, number: error.number, error.text)
            }
        }
        throw last
    }

    private func look(_ layout: TableLayout, ttl: Duration?) throws(DatabaseFailure) -> SeenRow {
        let rows = try client.query(layout.look(ttl: ttl))
        guard let cells = rows.first, cells.count == 9, let clock = UInt64(cells[6]) else {
            throw DatabaseFailure(.unexpected, "\(layout.table) answers \(rows.count) rows")
        }
        try demandPrimary(cells[7])
        var seen = SeenRow(clock: clock)
        if case .article = layout.form { seen.countsTermsByToken = true }
        // Else a crash takes the last second of commits with it.
        if UInt64(cells[8]) != 1 { seen.serverAge = try age() }
        guard let holder = cells[0] else { return seen }
        guard let version = UInt64(cells[1]), let token = UInt64(cells[2]), let term = UInt64(cells[3]) else {
            throw DatabaseFailure(.unexpected, "\(layout.table) holds no numbers where numbers belong")
        }
        guard max(version, token, term, clock) < 1 << 53 else {
            throw DatabaseFailure(
                .unexpected, "\(layout.table) holds a number that cannot be true: set version, token and term to 0")
        }
        let rules = cells[4].map { LeaseRow.parts(String(decoding: $0, as: UTF8.self)) }
        seen.row = LeaseRow(
            holder: String(decoding: holder, as: UTF8.self), version: version, token: token, term: term,
            rules: rules?.rules, purpose: rules?.purpose, left: Int64(cells[5]))
        return seen
    }

    /// Some users may write to a replica all the same.
    private func demandPrimary(_ cell: [UInt8]?) throws(DatabaseFailure) {
        let readOnly = String(decoding: cell ?? [], as: UTF8.self)
        guard readOnly == "0" || readOnly == "OFF" else {
            throw DatabaseFailure(.readOnly, "read_only is \(readOnly)")
        }
    }

    /// In whole seconds, so it may be almost one less.
    private func age() throws(DatabaseFailure) -> Duration {
        let rows = try client.query("SHOW GLOBAL STATUS LIKE 'Uptime'")
        guard let seconds = rows.first.flatMap({ $0.count == 2 ? Int64($0[1]) : nil }) else { return .zero }
        return .seconds(min(max(1, seconds), 1 << 40) - 1)
    }

    // MARK: A new connection

    private mutating func connected() throws(DatabaseFailure) -> TableLayout {
        if client.isConnected, let layout { return layout }
        try client.connect(configuration)
        do throws(DatabaseFailure) {
            try settle()
            // Known already on a new connection in the place of a dead one: a renewal has not much time.
            if let layout { return layout }
            let layout = try usableTable()
            self.layout = layout
            return layout
        } catch {
            // Half a set-up must never be taken for a connection.
            client.disconnect()
            throw error
        }
    }

    /// Nothing is left to what the server or its administrator presets. A client that dies cannot hold a
    /// lock, since every statement is a transaction of its own. Not READ COMMITTED: statement-based
    /// replication refuses that.
    private func settle() throws(DatabaseFailure) {
        let limit = configuration.timeoutSeconds
        try client.write(
            """
            SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', autocommit = 1, \
            innodb_lock_wait_timeout = \(limit), lock_wait_timeout = \(limit)
            """)
        try client.write("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE")
    }

    private mutating func usableTable() throws(DatabaseFailure) -> TableLayout {
        guard let table = Identifier(configuration.table) else {
            throw DatabaseFailure(.denied, "the table's name may have letters, digits, '_' and '$' only")
        }
        let schema = TableSchema(
            scheme: configuration.scheme, table: table, name: name, row: configuration.row)
        var verdict = try look(schema)
        if verdict == .missing {
            try create(schema)
            verdict = try look(schema)
        }
        switch verdict {
        case .usable(let form): return TableLayout(form: form, table: table, name: name)
        case .limited(let form, let migration):
            if !hasToldLimit {
                hasToldLimit = true
                logger.notice(
                    """
                    \(table) is used as it stands, for the one election in row \(configuration.row). For several, and to \
                    tell replicas with another lease length, stop all replicas and run: \(migration)
                    """)
            }
            return TableLayout(form: form, table: table, name: name)
        case .missing:
            throw DatabaseFailure(.denied, "\(table) cannot be seen: GRANT SELECT, INSERT, UPDATE on it to the user")
        case .unfit(let reason, let fix): throw DatabaseFailure(.denied, "\(reason): \(fix)")
        }
    }

    private func look(_ schema: TableSchema) throws(DatabaseFailure) -> TableSchema.Verdict {
        var columns: [String: TableSchema.Column] = [:]
        var engine = ""
        for cells in try client.query(schema.look) where cells.count == 5 {
            let texts = cells.map { String(decoding: $0 ?? [], as: UTF8.self) }
            columns[texts[0].lowercased()] = TableSchema.Column(
                type: texts[1].lowercased(), precision: Int(texts[2]) ?? 0, isUnique: texts[3] == "1")
            engine = texts[4]
        }
        return schema.verdict(on: columns, engine: engine)
    }

    private func create(_ schema: TableSchema) throws(DatabaseFailure) {
        try demandPrimary(try client.query("SELECT @@global.read_only").first?.first ?? nil)
        do throws(DatabaseFailure) {
            try client.write(schema.create)
        } catch {
            guard error.kind == .denied else { throw error }
            throw DatabaseFailure(
                .denied, number: error.number, "\(schema.table) is missing and may not be made. Run: \(schema.create)")
        }
    }
}

extension FixedWidthInteger {
    fileprivate init?(_ cell: [UInt8]?) {
        guard let cell else { return nil }
        self.init(String(decoding: cell, as: UTF8.self))
    }
}
#endif
