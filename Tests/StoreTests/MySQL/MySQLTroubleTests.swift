#if MySQL
import LeaderElection
import LeaderElectionMySQL
import Testing
import ThrowawayRedis
import ThrowawayStores

/// Row 22, the connection's part: deadlocks, cut and silent connections, servers that only read or may
/// forget.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayMariaDB.missing == nil))
struct MySQLTroubleTests {
    typealias Scheme = MySQLConfiguration.Scheme

    /// A trigger reports 1213 (or 1205) so many times, as the server does when others come first.
    @Test(arguments: Scheme.allCases, [1213, 1205])
    func aDeadlockIsTriedAgain(_ scheme: Scheme, _ number: Int) async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = ThrowawayMariaDB.freshTable()
        try await server.with(server.configuration(scheme, table: table)) { replica in
            let mine = replica.claim("a")
            let vote = try await replica.take(mine)
            // What a failing statement writes to Aria stays: the count goes down.
            try await server.sql(
                """
                CREATE TABLE \(table)_left (n INT) ENGINE=Aria TRANSACTIONAL=0; INSERT INTO \(table)_left VALUES (3);
                DELIMITER //
                CREATE TRIGGER \(table)_t BEFORE UPDATE ON \(table) FOR EACH ROW BEGIN
                  IF (SELECT n FROM \(table)_left) > 0 THEN
                    UPDATE \(table)_left SET n = n - 1;
                    SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = \(number);
                  END IF;
                END//
                """)
            #expect(try await replica.renew(mine, vote) == .renewed)
            #expect(try await server.value("SELECT n FROM \(table)_left") == "0")
            try await server.sql("UPDATE \(table)_left SET n = 1000000")
            let error = await replica.error { _ in _ = try await replica.renew(mine, vote) }
            guard let text = error?.detail(of: .unreachable) else {
                Issue.record("it is \(String(describing: error))")
                return
            }
            #expect(text.contains("contention"))
        }
    }

    @Test(arguments: Scheme.allCases)
    func aCutConnectionIsMadeAnewAndTheOperationRepeated(_ scheme: Scheme) async throws {
        let server = try await ThrowawayMariaDB.start(options: ["--wait-timeout=1"])
        try await server.with(server.configuration(scheme)) { replica in
            let mine = replica.claim("a")
            let vote = try await replica.take(mine)
            let mineOnly = "FROM information_schema.PROCESSLIST WHERE user = 'lapse'"
            // Cut by wait_timeout.
            try await eventually("the server cuts") { try await server.value("SELECT COUNT(*) \(mineOnly)") == "0" }
            #expect(try await replica.renew(mine, vote) == .renewed)
            // Killed by the operator, and by a restart.
            let id = try await server.value("SELECT id \(mineOnly)")
            if !id.isEmpty { _ = try? await server.sql("KILL \(id)") }
            let again = Vote(counter: vote.counter, term: 1)
            #expect(try await replica.register.acquire(mine) == .granted(again))
            await server.daemon.kill()
            let error = await replica.error { _ in _ = try await replica.renew(mine, vote) }
            #expect(error.map { $0.code == .unreachable } == true)
            try await server.start()
            #expect(try await replica.renew(mine, vote) == .renewed, "the lock outlives the server's crash")
        }
        await server.shutDown()
    }

    /// Every answer of an operation is swallowed once, and the connection cut.
    @Test(arguments: Scheme.allCases, 0..<3)
    func anAnswerThatIsLostDoesNoHarm(_ scheme: Scheme, _ replies: Int) async throws {
        let server = try await ThrowawayMariaDB.shared
        let proxy = try await FaultProxy.start(to: server.port)
        let table = ThrowawayMariaDB.freshTable()
        let configuration = server.configuration(scheme, port: proxy.port, table: table)
        try await server.with(configuration) { replica in
            _ = try await replica.register.observe("election")
            let mine = replica.claim("a")
            try await proxy.set(.cut(afterReplies: replies))
            let vote = try await replica.take(mine)
            #expect(try await replica.register.acquire(mine) == .granted(vote))
            try await proxy.set(.cut(afterReplies: replies))
            #expect(try await replica.renew(mine, vote) == .renewed)
            try await proxy.set(.cut(afterReplies: replies))
            try await replica.register.release(mine, wake: false)
            #expect(try await replica.register.observe("election").holder == nil)
            #expect(try await proxy.cuts >= 1)
        }
        await proxy.shutDown()
    }

    @Test func aSilentServerIsATimeoutAndCancellationIsPrompt() async throws {
        try await withMariaDB { server in
            var configuration = server.configuration(.lease)
            configuration.timeout = .seconds(1)
            try await server.with(configuration) { replica in
                _ = try await replica.register.observe("election")
                server.daemon.freeze()
                #expect(await replica.error { _ = try await $0.observe("election") } == .timedOut)
                server.daemon.resume()
                _ = try await replica.register.observe("election")
            }
            configuration.timeout = .seconds(3600)
            try await server.with(configuration) { replica in
                _ = try await replica.register.observe("election")
                server.daemon.freeze()
                let mine = replica.claim("a")
                let asking = Task { await replica.error { _ = try await $0.acquire(mine) } }
                // Queued behind it.
                let next = Task { await replica.error { _ = try await $0.observe("election") } }
                next.cancel()
                #expect(await next.value == .cancelled)
                asking.cancel()
                #expect(await asking.value == .cancelled, "an hour before the timeout")
                server.daemon.resume()
                // The vote comes late or not at all; it can be given back, in order, on the same connection.
                try await replica.register.release(mine, wake: false)
                #expect(try await replica.register.observe("election").holder == nil)
            }
        }
    }

    @Test func shutDownWaitsForNoServer() async throws {
        try await withMariaDB { server in
            var configuration = server.configuration(.heartbeat)
            configuration.timeout = .seconds(3600)
            let replica = MySQLReplica(configuration)
            _ = try await replica.register.observe("election")
            let connected = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'lapse'"
            #expect(try await server.value(connected) == "1")
            server.daemon.freeze()
            let asking = Task { await replica.error { _ = try await $0.observe("election") } }
            await replica.store.shutDown()
            let error = await asking.value
            #expect(error.map { $0.code == .unreachable } == true)
            server.daemon.resume()
            try await eventually("the connection is closed") { try await server.value(connected) == "0" }
            #expect(await replica.error { _ = try await $0.observe("x") } == .unreachable("shut down"))
        }
    }

    @Test func aServerThatOnlyReadsIsNoPrimary() async throws {
        try await withMariaDB { server in
            // A user who may write all the same.
            try await server.sql("GRANT READ_ONLY ADMIN ON *.* TO 'lapse'@'%'; SET GLOBAL read_only = 1")
            try await server.with(server.configuration(.lease)) { replica in
                let error = await replica.error { _ = try await $0.observe("election") }
                guard let text = error?.detail(of: .unreachable) else {
                    Issue.record("it is \(String(describing: error))")
                    return
                }
                #expect(text.contains("name the primary"))
            }
            try await server.sql("REVOKE READ_ONLY ADMIN ON *.* FROM 'lapse'@'%'; SET GLOBAL read_only = 0")
            try await server.with(server.configuration(.lease)) { replica in
                let mine = replica.claim("a")
                let vote = try await replica.take(mine)
                try await server.sql("SET GLOBAL read_only = 1")
                let error = await replica.error { _ in _ = try await replica.renew(mine, vote) }
                #expect(error.map { $0.code == .unreachable } == true)
            }
        }
    }

    /// With this setting a crash takes the last second of commits with it, perhaps a vote.
    @Test(arguments: Scheme.allCases)
    func aYoungServerThatMayForgetGivesNoVote(_ scheme: Scheme) async throws {
        try await withMariaDB(options: ["--innodb-flush-log-at-trx-commit=2"]) { server in
            try await server.with(server.configuration(scheme)) { replica in
                let reply = try await replica.register.acquire(replica.claim("a", ttl: .seconds(3600)))
                guard case .refused(let reason, let wait?) = reply else {
                    Issue.record("it is \(reply)")
                    return
                }
                #expect(reason.contains("younger") && wait > .seconds(3000) && wait <= .seconds(3600))
            }
        }
    }

    @Test func aNameThatIsHeldTwiceLeadsOnce() async throws {
        let server = try await ThrowawayMariaDB.shared
        for scheme in Scheme.allCases {
            let configuration = server.configuration(scheme, table: ThrowawayMariaDB.freshTable())
            try await server.with(configuration) { one in
                try await server.with(configuration) { twin in
                    let mine = one.claim("web-1")
                    _ = try await one.take(mine)
                    let reply = try await twin.register.acquire(twin.claim("web-1"))
                    #expect(reply.isHeld(by: mine.value))
                }
            }
        }
    }
}

extension AcquireReply {
    func isHeld(by value: String) -> Bool {
        if case .held(value, _) = self { true } else { false }
    }
}
#endif
