import LeaderElection
import Simulation
import Testing
import Timing

/// Rows 117 and 118: terms that rest on a bare majority, and registers that forget.
@Suite struct BareMajorityTests {
    /// A leader of a contested election holds two of three; then one of the two falls back to what it was
    /// before the vote. From shortly after the beginning on, the third holds the vote too.
    @Test(arguments: 1...30) func aStalePromotionAfterAContestedElection(step: Int) throws {
        var world = ElectionWorld(registers: 3, seed: UInt64(step))
        world.occupy(2, for: .milliseconds(100))
        let before = world.registers[1]
        world.join(try .replica("a"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        #expect(world.votes(of: 0) == 2)
        world.run(for: .milliseconds(400) + .milliseconds(70) * step)
        #expect(world.votes(of: 0) == 3, "taken long before the first third of the lease")
        world.registers[1] = before
        world.join(try .replica("b"))
        world.run(for: .seconds(20))
        #expect(world.beginnings.count == 1)
        #expect(world.violations.isEmpty)
    }

    /// The promoted replica has the vote, with the time of an earlier request.
    @Test(arguments: 1...20 as ClosedRange<UInt64>) func aVoteCountsWithItsTime(seed: UInt64) throws {
        var world = ElectionWorld(registers: 3, seed: seed)
        world.join(try .replica("a"))
        try #require(
            world.run(for: .seconds(1)) { if case .confirming = $0.candidates[0].machine.state { true } else { false } }
        )
        for register in world.registers.indices where world.registers[register].lock != nil {
            let now = world.registers[register].clock(world.now)
            world.registers[register].lock?.until = now + .milliseconds(300)
        }
        // No renewal arrives: the term rests on the votes as they were confirmed.
        world.network = { random, _, request in
            var trip = ElectionWorld.quietNetwork(&random, 0, request)
            if case .renew = request.operation { trip.isLost = true }
            return trip
        }
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("b"))
        world.run(for: .seconds(20))
        #expect(world.violations.isEmpty)
    }

    @Test func theFirstRenewalFollowsTheBeginning() throws {
        var world = ElectionWorld(registers: 3)
        world.join(try .replica("a"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        let begun = try #require(world.candidates[0].leadership?.window)
        world.run(for: .milliseconds(10))
        #expect(try #require(world.candidates[0].leadership).window.start.monotonic > begun.start.monotonic)
    }

    /// A register held by a rival for good costs no more than a few rounds beside the usual ones.
    @Test func aRivalsVoteThatStaysIsNotAskedForInAFrenzy() throws {
        var world = ElectionWorld(registers: 3)
        world.occupy(2, for: .seconds(3600))
        var rounds = 0
        world.network = { random, _, request in
            if case .renew = request.operation, request.register == 0 { rounds += 1 }
            return ElectionWorld.quietNetwork(&random, 0, request)
        }
        world.join(try .replica("a"))
        world.run(for: .seconds(80))
        #expect(world.leader == 0)
        #expect(rounds <= 80 * 3 / 8 + 10)
    }

    /// The register that did not vote knows the token as well.
    @Test func moreThanOneRegisterMustForgetTheToken() throws {
        var world = ElectionWorld(registers: 3)
        world.registers[0].counter = 1 << 60
        world.occupy(2, for: .milliseconds(100))
        world.join(try .replica("a"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        let token = try #require(world.candidates[0].terms.first?.token)
        #expect(world.run(for: .milliseconds(5)) { $0.registers[2].counter >= token.rawValue })
        world.kill(0)
        world.registers[1].counter = 0
        world.registers[0].isDown = true
        world.join(try .replica("b"))
        #expect(world.run(for: .seconds(20)) { $0.leader == 1 })
        #expect(world.violations.isEmpty)
    }
}
