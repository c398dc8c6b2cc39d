#if MySQL
import LeaderElection
import LeaderElectionMySQL
import Testing
import ThrowawayStores

/// Row 22: only the server's clock decides, in whatever time zone. The server's clock is driven: every
/// new connection of a user without special rights stands still at the time that `init_connect` sets.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayMariaDB.missing == nil))
struct MySQLClockTests {
    private func stop(_ server: ThrowawayMariaDB, at seconds: String) async throws {
        try await server.sql("SET GLOBAL init_connect = 'SET timestamp = \(seconds)'")
    }

    /// 2001, and an hour before and after now.
    @Test(arguments: MySQLConfiguration.Scheme.allCases, [1_000_000_000, -3600, 3600])
    func nothingOfTheClientsClockIsInTheRow(_ scheme: MySQLConfiguration.Scheme, _ offset: Int) async throws {
        try await withMariaDB { server in
            let now = try #require(Int(try await server.value("SELECT UNIX_TIMESTAMP()")))
            let time = abs(offset) > 3600 ? offset : now + offset
            try await stop(server, at: "\(time).25")
            try await server.with(server.configuration(scheme)) { replica in
                let mine = replica.claim("a", ttl: .milliseconds(8000))
                let vote = try await replica.take(mine)
                #expect(vote.counter == UInt64(time) * 1000 + 250)
                let end = "SELECT UNIX_TIMESTAMP(CONVERT_TZ(\(scheme.end), '+00:00', @@session.time_zone))"
                let table = scheme == .heartbeat ? "host_master" : "lease"
                #expect(try await server.value("\(end) FROM \(table)") == "\(time + 8).250000")
                #expect(try await replica.renew(mine, vote) == .renewed)
                #expect(try await server.value("\(end) FROM \(table)") == "\(time + 8).250000")
                #expect(try await replica.register.observe("election").ttl == .seconds(8))
            }
        }
    }

    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func theLeaseEndsWhenTheServerSaysSo(_ scheme: MySQLConfiguration.Scheme) async throws {
        try await withMariaDB { server in
            let configuration = server.configuration(scheme)
            try await stop(server, at: "1000000000")
            let holder = MySQLReplica(configuration)
            let mine = holder.claim("a", ttl: .seconds(8))
            let vote = try await holder.take(mine)

            try await stop(server, at: "1000000007.999999")
            try await server.with(configuration) { other in
                let reply = try await other.register.acquire(other.claim("b"))
                #expect(reply == .held(by: mine.value, ttl: .microseconds(1)))
            }
            try await stop(server, at: "1000000008")
            try await server.with(configuration) { late in
                #expect(try await late.renew(mine, vote) == .lost(holder: nil), "an ended lease is not resurrected")
                #expect(try await late.register.confirm(mine, token: .init(rawValue: 1), term: 9) == false)
                #expect(try await late.register.observe("election").holder == nil)
                let next = try await late.take(late.claim("b"))
                #expect(next.counter > vote.counter)
            }
            await holder.store.shutDown()
        }
    }

    /// The server's clock goes back: the lease lasts longer, and no token falls.
    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func aClockThatGoesBackLowersNoToken(_ scheme: MySQLConfiguration.Scheme) async throws {
        try await withMariaDB { server in
            let configuration = server.configuration(scheme)
            try await stop(server, at: "1000003600")
            let before = try await server.with(configuration) { replica in
                let mine = replica.claim("a")
                let vote = try await replica.take(mine)
                try await replica.register.release(mine, wake: false)
                return vote
            }
            try await stop(server, at: "1000000000")
            try await server.with(configuration) { replica in
                let after = try await replica.take(replica.claim("b"))
                #expect(after.counter > before.counter)
            }
        }
    }

    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func timeZonesMoveNothing(_ scheme: MySQLConfiguration.Scheme) async throws {
        try await withMariaDB(options: ["--default-time-zone=-11:00"]) { server in
            let west = MySQLReplica(server.configuration(scheme))
            let mine = west.claim("a", ttl: .seconds(30))
            let vote = try await west.take(mine)
            try await server.sql("SET GLOBAL time_zone = '+13:00'")
            try await server.with(server.configuration(scheme)) { east in
                guard case .held(mine.value, let left?) = try await east.register.acquire(east.claim("b")) else {
                    Issue.record("it was not held")
                    return
                }
                #expect(left <= .seconds(30))
                #expect(try await east.renew(mine, vote) == .renewed)
            }
            #expect(try await west.renew(mine, vote) == .renewed)
            await west.store.shutDown()
        }
    }

    /// A session that an administrator presets badly.
    @Test(arguments: MySQLConfiguration.Scheme.allCases)
    func presetsOfTheServerChangeNothing(_ scheme: MySQLConfiguration.Scheme) async throws {
        let options = [
            "--autocommit=0", "--sql-mode=ANSI,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,SIMULTANEOUS_ASSIGNMENT",
            "--transaction-isolation=SERIALIZABLE", "--character-set-server=latin1", "--log-bin=binlog",
            "--binlog-format=STATEMENT", "--innodb-rollback-on-timeout=1",
        ]
        try await withMariaDB(options: options) { server in
            try await server.with(server.configuration(scheme)) { one in
                try await server.with(server.configuration(scheme)) { two in
                    for round in 0..<3 {
                        let mine = one.claim("žluťoučký-\(round)")
                        let vote = try await one.take(mine)
                        #expect(try await two.register.observe("election").holder == mine.value)
                        #expect(try await one.renew(mine, vote) == .renewed)
                        guard case .held(mine.value, _) = try await two.register.acquire(two.claim("b")) else {
                            Issue.record("it was not held")
                            return
                        }
                        try await one.register.release(mine, wake: false)
                        let other = two.claim("b")
                        #expect(try await two.take(other).counter > vote.counter)
                        try await two.register.release(other, wake: false)
                    }
                }
            }
            // Nothing was left in an open transaction, and the statements are in the log of the replicas.
            #expect(try await server.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX") == "0")
            #expect(try await server.sql("SHOW BINLOG EVENTS").contains("UPDATE `"))
        }
    }
}
#endif
