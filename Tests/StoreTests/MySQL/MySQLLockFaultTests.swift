#if MySQL
import Foundation
import LeaderElection
import LeaderElectionMySQL
import Logging
import Synchronization
import Testing
import ThrowawayRedis
import ThrowawayStores

/// The mistakes of the two MySQL articles: the same check fails on the article's logic and holds here.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: ThrowawayMariaDB.missing == nil))
struct MySQLLockFaultTests {
    private let now = Int(Date().timeIntervalSince1970)

    private func heartbeat(_ server: ThrowawayMariaDB) -> MySQLConfiguration {
        server.configuration(.heartbeat, table: ThrowawayMariaDB.freshTable())
    }

    private func lease(_ server: ThrowawayMariaDB) -> MySQLConfiguration {
        server.configuration(.lease, table: ThrowawayMariaDB.freshTable())
    }

    // MARK: host_master

    /// Liveness is the client's clock minus the database's.
    @Test func aFastClientTakesALiveLease() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyHostMaster.create(server)
        let a = FaultyHostMaster(server: server, table: table, host: "a")
        let b = FaultyHostMaster(server: server, table: table, host: "b")
        #expect(try await a.act(on: a.look(), clientNow: now))
        #expect(try await b.act(on: b.look(), clientNow: now + 3600), "the article: it leads beside a live leader")

        // Here a client has no clock to be wrong: MySQLClockTests shows that the server's is the only one. A
        // faked client clock of an hour ahead cannot even be handed in.
        try await server.with(heartbeat(server)) { replica in
            let mine = replica.claim("a")
            _ = try await replica.take(mine)
            #expect(try await replica.register.acquire(replica.claim("b")).isHeld(by: mine.value))
        }
    }

    /// There is no state "leader" that could be lost: nothing tells the old one.
    @Test func theOldLeaderIsNeverTold() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyHostMaster.create(server)
        let a = FaultyHostMaster(server: server, table: table, host: "a")
        let b = FaultyHostMaster(server: server, table: table, host: "b")
        #expect(try await a.act(on: a.look(), clientNow: now))
        let resumed = try await a.look()
        #expect(try await b.act(on: b.look(), clientNow: now + 3600))
        #expect(try await a.act(on: resumed, clientNow: now), "the article: the old leader goes on")

        try await server.with(heartbeat(server)) { replica in
            let mine = replica.claim("a", ttl: .milliseconds(300))
            let vote = try await replica.take(mine)
            let rival = replica.claim("b")
            try await eventually("the rival is granted") {
                if case .granted = try await replica.register.acquire(rival) { true } else { false }
            }
            #expect(try await replica.renew(mine, vote) == .lost(holder: rival.value))
        }
    }

    /// The bare host name is the identity.
    @Test func aTwinLeadsToo() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyHostMaster.create(server)
        let one = FaultyHostMaster(server: server, table: table, host: "web-1")
        let twin = FaultyHostMaster(server: server, table: table, host: "web-1")
        #expect(try await one.act(on: one.look(), clientNow: now))
        #expect(try await twin.act(on: twin.look(), clientNow: now), "the article: both lead")

        try await server.with(heartbeat(server)) { replica in
            let mine = replica.claim("web-1")
            _ = try await replica.take(mine)
            #expect(try await replica.register.acquire(replica.claim("web-1")).isHeld(by: mine.value))
        }
    }

    /// A compare-and-set that met no row is taken for success.
    @Test func aFailedCompareAndSetCountsAsSuccess() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyHostMaster.create(server)
        let hosts = ["a", "b"].map { FaultyHostMaster(server: server, table: table, host: $0) }
        let seen = try await hosts[0].look()
        var leaders = 0
        for host in hosts where try await host.act(on: seen, clientNow: now) { leaders += 1 }
        #expect(leaders == 2, "the article: both believe that they won")

        let configuration = heartbeat(server)
        try await server.with(configuration) { one in
            try await server.with(configuration) { two in
                for replica in [one, two] { _ = try await replica.register.observe("election") }
                for round in 0..<20 {
                    async let first = one.register.acquire(one.claim("a\(round)"))
                    async let second = two.register.acquire(two.claim("b\(round)"))
                    let replies = try await [first, second]
                    let granted = replies.filter { if case .granted = $0 { true } else { false } }
                    #expect(granted.count == 1)
                    try await server.sql("UPDATE \(configuration.table) SET master = ''")
                }
            }
        }
    }

    // MARK: The lease table

    /// UnLock answers nil whatever happened.
    @Test func theErrorOfUnlockingIsLost() async throws {
        try await withMariaDB { server in
            let table = try await FaultyLeaseTable.create(server)
            let faulty = FaultyLeaseTable(server, table, holder: "a")
            #expect(try await faulty.lock("job", clientNow: now))
            try await server.with(server.configuration(.lease)) { replica in
                let mine = replica.claim("a")
                _ = try await replica.take(mine)
                await server.daemon.kill()
                // It throws nothing: it cannot even be written as `try`.
                await faulty.unlock("job")
                let error = await replica.error { try await $0.release(mine, wake: false) }
                #expect(error.map { $0.code == .unreachable } == true)
            }
            try await server.start()
            #expect(try await faulty.isLive("job"), "the article: unlocked without an error, and still locked")
        }
    }

    /// A second UnLock closes a closed channel.
    @Test func aSecondUnlockPanics() async throws {
        let server = try await ThrowawayMariaDB.shared
        let faulty = FaultyLeaseTable(server, try await FaultyLeaseTable.create(server), holder: "a")
        #expect(try await faulty.lock("job", clientNow: now))
        for _ in 0..<2 { await faulty.unlock("job") }
        #expect(faulty.closes == 2, "the article: a panic")

        try await server.with(lease(server)) { replica in
            let mine = replica.claim("a")
            _ = try await replica.take(mine)
            for _ in 0..<3 { try await replica.register.release(mine, wake: false) }
            _ = try await replica.take(replica.claim("b"))
        }
    }

    /// A renewal looks neither at `expired_at` nor at the rows it met.
    @Test func aRenewalResurrectsAnExpiredRow() async throws {
        let server = try await ThrowawayMariaDB.shared
        let faulty = FaultyLeaseTable(server, try await FaultyLeaseTable.create(server), holder: "a")
        #expect(try await faulty.lock("job", clientNow: now, lasts: -60))
        #expect(try await faulty.isLive("job") == false)
        try await faulty.refresh("job", clientNow: now)
        #expect(try await faulty.isLive("job"), "the article: it lives again")

        try await server.with(lease(server)) { replica in
            let mine = replica.claim("a", ttl: .milliseconds(200))
            let vote = try await replica.take(mine)
            try await eventually("it ends") { try await replica.register.observe("election").holder == nil }
            #expect(try await replica.renew(mine, vote) == .lost(holder: nil))
            #expect(try await replica.register.observe("election").holder == nil)
        }
    }

    /// Every lock sweeps the rows of every action, by the clock of the client that locks.
    @Test func aFastClientDeletesLiveLeasesOfOthers() async throws {
        let server = try await ThrowawayMariaDB.shared
        let table = try await FaultyLeaseTable.create(server)
        let a = FaultyLeaseTable(server, table, holder: "a")
        let b = FaultyLeaseTable(server, table, holder: "b")
        #expect(try await a.lock("one", clientNow: now))
        #expect(try await b.lock("two", clientNow: now + 3600))
        #expect(try await a.isLive("one") == false, "the article: the live lease is gone")

        let configuration = lease(server)
        try await server.with(configuration, name: "one") { one in
            try await server.with(configuration, name: "two") { two in
                let ended = one.claim("a", ttl: .milliseconds(1))
                _ = try await one.take(ended)
                _ = try await two.take(two.claim("b"))
                // Not even a row that has ended is another's business.
                let rows = "SELECT COUNT(*) FROM \(configuration.table) WHERE action = 'one' AND holder <> ''"
                #expect(try await server.value(rows) == "1")
            }
        }
    }
}
#endif
