import Chaos
import Testing

/// Faults done to three real processes on a real cluster, each with its account (shared FAULTS, rows
/// marked with a gear).
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FaultTests {
    /// For those in which one replica leads all along: a starved machine must not cost it the lease.
    private let kept = Duration.seconds(6)

    /// 200 expirations a second, as in the table of `scripts/chaos`, only shorter.
    private func ledger(
        _ scenario: Scenario, rate: Double = 200, leaseTTL: Duration = .seconds(2)
    ) async throws -> Ledger {
        let run = ScenarioRun(
            scenario, leaseTTL: leaseTTL, rate: rate, nodeTimeout: .seconds(2), pace: .short, binary: Binary.lapse)
        let ledger = try await run.run()
        #expect(ledger.emitted > 1000, "\(ledger.row)")
        #expect(ledger.failures.isEmpty, "\(ledger.row)")
        #expect(scenario.mayLose || ledger.lost == 0, "\(ledger.row)")
        #expect(ledger.overlaps == 0, "\(ledger.row)")
        // I9, as the leaders' status pages showed it all the while: one that did not add up is a failure.
        #expect(ledger.samples > 20, "\(ledger.row)")
        return ledger
    }

    @Test("rows 9, 31; the article lost what came between two leaders: SIGKILL of the leader loses nothing")
    func sigkill() async throws {
        let ledger = try await ledger(.sigkill)
        #expect(ledger.twice <= 60, "\(ledger.row)")
        #expect(ledger.terms >= 2, "\(ledger.row)")
    }

    @Test("row 10: SIGTERM drains and hands over, nothing twice, exit 0")
    func sigterm() async throws {
        let ledger = try await ledger(.sigterm)
        #expect(ledger.twice == 0, "\(ledger.row)")
        #expect(ledger.note.contains("exit 0"), "\(ledger.row)")
        #expect(ledger.terms >= 2, "\(ledger.row)")
    }

    @Test("row 7; the article never gave leadership up: a leader stopped past its lease handles nothing afterwards")
    func sigstop() async throws {
        let ledger = try await ledger(.sigstop)
        #expect(ledger.afterWaking == 0, "\(ledger.row)")
        #expect(ledger.twice <= 60, "\(ledger.row)")
    }

    @Test("row 32: a rolling restart loses nothing and handles nothing twice")
    func rollingRestart() async throws {
        let ledger = try await ledger(.rolling)
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("rows 14, 33; the article lost its lock with the master: one leader all along, nothing lost")
    func masterKilled() async throws {
        let ledger = try await ledger(.masterKilled, leaseTTL: kept)
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 48: a master frozen until its replica took over emits everything again, and it is handled once")
    func masterFrozen() async throws {
        let ledger = try await ledger(.masterFrozen, leaseTTL: kept)
        #expect(ledger.announcedAgain > 0, "the fault did not happen: \(ledger.row)")
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 34: a graceful failover, after which the old master only falls silent")
    func gracefulFailover() async throws {
        let ledger = try await ledger(.failover, leaseTTL: kept)
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 35; the article's node list was static: a master that joins is heard from its first expiration")
    func newMaster() async throws {
        let ledger = try await ledger(.newMaster, leaseTTL: kept)
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 36: the leader's feeds are cut again and again, the followers' are not: peers bring in what it missed")
    func feedsCut() async throws {
        let ledger = try await ledger(.feedsCut, leaseTTL: kept)
        #expect(ledger.twice == 0, "\(ledger.row)")
        #expect(ledger.repaired > 0, "nothing was missed, so nothing was tested: \(ledger.row)")
    }

    @Test("row 37: nobody hears one node for two seconds: what is lost is counted to the last one")
    func nodeCut() async throws {
        let ledger = try await ledger(.nodeCut)
        #expect(ledger.reported > 0 && ledger.reported == ledger.lost, "\(ledger.row)")
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 41: RESETSTAT loses nothing and counts nothing as lost; forged messages are told from announcements")
    func resetAndForged() async throws {
        let ledger = try await ledger(.resetAndForged)
        #expect(ledger.reported == 0, "\(ledger.row)")
        #expect(ledger.twice == 0, "\(ledger.row)")
    }

    @Test("row 43: a node comes back from its snapshot and says nothing of what expired: companions find all of it")
    func nodeRestart() async throws {
        let ledger = try await ledger(.nodeRestartCompanions)
        #expect(ledger.handled == ledger.emitted, "\(ledger.row)")
    }

    @Test("row 44: handlers slower than the stream: what the bounds take away is counted to the last one")
    func slowHandler() async throws {
        // Enough to fill the smallest log there may be: what waits for its turn leaves by bytes, not by age.
        // One leader throughout: what a leader told of as lost just before it was starved of its lease the
        // next one tells of again.
        let ledger = try await ledger(.slowHandler, rate: 1_000, leaseTTL: .seconds(8))
        #expect(ledger.reported > 0 && ledger.reported == ledger.lost, "\(ledger.row)")
        #expect(ledger.twice == 0, "\(ledger.row)")
    }
}
