#if MySQL
import LeaderElection
import LeaderElectionMySQL
import Logging
import Synchronization
import Testing
import ThrowawayStores

/// The articles' tables as they stand, and the migrations that are printed.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayMariaDB.missing == nil))
struct MySQLMigrationTests {
    @Test(arguments: ["INT", "BIGINT"])
    func theArticlesHostMasterWorksAsItStands(_ type: String) async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyHostMaster.create(server)
        try await server.sql("ALTER TABLE \(table) MODIFY version \(type) NOT NULL")
        let configuration = server.configuration(.heartbeat, table: table)
        let log = CapturedLog()
        var tokens: [UInt64] = []
        try await server.with(configuration, logger: log.logger) { one in
            try await server.with(configuration) { two in
                for round in 0..<3 {
                    let mine = one.claim("a\(round)", ttl: .milliseconds(300))
                    let vote = try await one.take(mine)
                    let token = FencingToken(rawValue: vote.counter)
                    let term = vote.term + 1
                    #expect(term == vote.counter, "one number counts both")
                    #expect(try await one.register.confirm(mine, token: token, term: term))
                    #expect(
                        try await one.register.renew(mine, token: token, term: term, heal: false) == .renewed)
                    #expect(try await two.register.acquire(two.claim("b")).isHeld(by: mine.value))
                    #expect(try await two.register.observe("election").token >= token)
                    tokens.append(vote.counter)
                    // It is given back, it ends, or an operator deletes the whole row.
                    switch round {
                    case 0: try await one.register.release(mine, wake: false)
                    case 1: break  // The rival waits for its end.
                    default:
                        // A narrow version counts seconds, and here it was written more often than once a second.
                        if type == "BIGINT" { try await server.sql("DELETE FROM \(table)") }
                    }
                    let rival = two.claim("b\(round)", ttl: .milliseconds(300))
                    try await eventually("the rival is granted") {
                        guard case .granted(let vote) = try await two.register.acquire(rival) else { return false }
                        tokens.append(vote.counter)
                        return true
                    }
                    #expect(try await one.renew(mine, vote) == .lost(holder: rival.value))
                    try await two.register.release(rival, wake: false)
                }
            }
        }
        #expect(tokens == tokens.sorted() && Set(tokens).count == tokens.count)
        #expect(try await server.value("SELECT COUNT(*) FROM \(table)") == "1")

        let notice = try #require(log.lines.first { $0.contains("ALTER TABLE") })
        let start = try #require(notice.firstRange(of: "SET time_zone"))
        try await server.sql(String(notice[start.lowerBound...]))
        // The same row, two elections, and still no smaller token.
        try await server.with(configuration) { one in
            try await server.with(configuration, name: "another") { another in
                let vote = try await one.take(one.claim("a"))
                #expect(vote.counter > tokens[tokens.count - 1])
                #expect(vote.term >= tokens[tokens.count - 1])
                _ = try await another.take(another.claim("a"))
            }
        }
        #expect(try await server.value("SELECT COUNT(*) FROM \(table)") == "2")
    }

    @Test func theArticlesLeaseTableIsToldWhatItLacks() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyLeaseTable.create(server)
        let configuration = server.configuration(.lease, table: table)
        try await server.with(configuration) { replica in
            let error = await replica.error { _ = try await $0.acquire(replica.claim("a")) }
            guard let text = error?.detail(of: .denied) else {
                Issue.record("it is \(String(describing: error))")
                return
            }
            let start = try #require(text.firstRange(of: "SET time_zone"))
            try await server.sql(String(text[start.lowerBound...]))
            let mine = replica.claim("a")
            let vote = try await replica.take(mine)
            #expect(try await replica.renew(mine, vote) == .renewed)
        }
    }

    /// The row, and with it the counters, is deleted: the next token is larger all the same.
    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func theTokenOutlivesTheRow(_ scheme: MySQLConfiguration.Scheme) async throws {
        let server = try await ThrowawayMariaDB.shared
        let configuration = server.configuration(scheme, table: ThrowawayMariaDB.freshTable())
        try await server.with(configuration) { replica in
            var last: UInt64 = 0
            for round in 0..<3 {
                let mine = replica.claim("a\(round)")
                let vote = try await replica.take(mine)
                #expect(vote.counter > last)
                last = vote.counter
                try await server.sql("DELETE FROM \(configuration.table)")
                #expect(try await replica.renew(mine, vote) == .lost(holder: nil))
            }
        }
    }
}

/// What was logged.
private final class CapturedLog: Sendable {
    private let book = Mutex<[String]>([])

    var lines: [String] { book.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.book.withLock { $0.append("\(event.message)") }
        }
    }
}
#endif
