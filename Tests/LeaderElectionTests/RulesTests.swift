import LeaderElection
import Simulation
import Testing

/// Row 25: replicas that do not agree on the rules.
@Suite struct RulesTests {
    @Test func aNewcomerWithOtherRulesRefusesAndSaysWhy() throws {
        var world = try ElectionWorld.led()
        world.join(try .replica("b", ttl: .seconds(20), rules: "other rules"))
        world.run(for: .seconds(60))
        #expect(world.leader == 0)
        #expect(world.candidates[1].acquires <= 3 * 4)
        guard case .refused(let reason) = world.candidates[1].notes.first else {
            Issue.record("it did not say why")
            return
        }
        #expect(reason.contains("other rules") && reason.contains("rules"))
        #expect(world.violations.isEmpty)
    }

    @Test func whenTheOthersAreGoneItsRulesHold() throws {
        var world = try ElectionWorld.led()
        world.join(try .replica("b", rules: "other rules"))
        world.run(for: .seconds(5))
        world.send(.stop, to: 0)
        #expect(world.run(for: .seconds(9)) { $0.leader == 1 })
        #expect(world.violations.isEmpty)
    }

    @Test func theRulesNameEverythingThatMustAgree() throws {
        let store = MemoryStore(registers: 3)
        let rules = try ElectionConfiguration(name: "x", leaseTTL: .seconds(4)).settings(for: store).rules
        #expect(rules == "ttl=4000ms registers=3 naming=memory")
    }
}

@Suite struct LeaseTimingTests {
    @Test(arguments: [500, 1000, 2000, 8000, 30_000, 60_000])
    func twoRetriesFit(milliseconds: Int) throws {
        let timing = try LeaseTiming(ttl: .milliseconds(milliseconds))
        #expect(timing.renewInterval == timing.ttl / 3)
        #expect(timing.operationTimeout <= .milliseconds(500))
        #expect(timing.drift >= timing.ttl / 100 + .milliseconds(2))
        #expect(timing.stopBudget >= .milliseconds(50) && timing.stopBudget <= .seconds(1))
    }

    @Test(arguments: [0, 1, 100, 250])
    func aLeaseTooShortIsRefused(milliseconds: Int) {
        #expect(throws: ElectionError.self) { try LeaseTiming(ttl: .milliseconds(milliseconds)) }
    }

    /// Also where the time for stopping grows with the lease.
    @Test func theLeastThatIsToldIsEnough() throws {
        func timing(_ milliseconds: Int) throws(ElectionError) -> LeaseTiming {
            try LeaseTiming(ttl: .milliseconds(milliseconds), stopBudget: { $0 / 5 })
        }
        let error = #expect(throws: ElectionError.self) { try timing(400) }
        #expect(error?.description.hasSuffix("the least is 430 ms") == true, "\(String(describing: error))")
        #expect(throws: ElectionError.self) { try timing(420) }
        #expect(try timing(430).stopBudget == .milliseconds(86))
    }
}
