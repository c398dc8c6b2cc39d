import LeaderElection
import Simulation
import Testing

/// Rows 14 and 15: registers that forget what they were asked to remember.
@Suite struct ForgetfulRegisterTests {
    /// Row 14: a master dies before its replica heard of the vote, of the renewal, or of the token.
    @Test(arguments: 0..<40)
    func oneRegisterFallsBack(step: Int) throws {
        var world = ElectionWorld(registers: 3)
        world.join(try .replica("a"))
        let before = world.registers[1]
        world.run(for: .microseconds(step * 100))
        world.registers[1] = before
        world.join(try .replica("b"))
        world.join(try .replica("c"))
        world.run(for: .seconds(20))
        #expect(world.leader != nil)
        #expect(world.beginnings.count == 1)
        #expect(world.violations.isEmpty)
    }

    /// Row 15.
    @Test(arguments: 0..<3)
    func oneRegisterRestartsEmpty(register: Int) throws {
        var world = try ElectionWorld.led(followers: 2)
        world.registers[register].restartEmpty(at: world.now)
        world.run(for: .seconds(20))
        #expect(world.leader == 0)
        #expect(world.beginnings.count == 1)
        #expect(world.votes(of: 0) == 3)
        #expect(world.violations.isEmpty)
    }

    /// Row 15: one after the other restarts empty, faster than a lease lasts.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func aMajorityRestartsEmptyInTurn(seed: UInt64) throws {
        var world = try ElectionWorld.led(followers: 2, seed: seed)
        for round in 0..<6 {
            let pause = Duration.milliseconds(Int.random(in: 1...4000, using: &world.random))
            world.after(pause * (round + 1)) { $0.registers[round % 3].restartEmpty(at: $0.now) }
        }
        world.run(for: .seconds(24))
        // Once the servers are older than a lease, there is a leader again.
        #expect(world.run(for: .seconds(10)) { $0.leader != nil })
        #expect(world.violations.isEmpty)
    }

    /// The same without the guard: a second leader, so the guard is what keeps it away.
    @Test func withoutTheGuardTwoLead() throws {
        let worlds = try (1...40 as ClosedRange<UInt64>).map { seed in
            var world = try ElectionWorld.led(followers: 2, seed: seed)
            for register in world.registers.indices { world.registers[register].refusesWhenYoung = false }
            for register in 0..<2 { world.registers[register].restartEmpty(at: world.now) }
            world.send(.wakeUp, to: 1)
            world.run(for: .seconds(10))
            return world
        }
        #expect(worlds.contains { world in world.violations.contains { $0.contains("I1") } })
    }

    /// Counters that drifted apart: the majorities {0, 1} and then {0, 2} still give growing tokens.
    @Test func tokensGrowThoughMajoritiesDiffer() throws {
        var world = ElectionWorld(registers: 3)
        for (register, counter) in [5, 9, 1].enumerated() {
            // Far above what the clock would give, so that only publishing can help.
            world.registers[register].counter = 1 << 60 + UInt64(counter)
        }
        world.registers[2].isDown = true
        world.join(try .replica("a"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.send(.stop, to: 0)
        world.run(for: .seconds(1))
        world.registers[2].isDown = false
        world.registers[1].isDown = true
        world.join(try .replica("b"))
        try #require(world.run(for: .seconds(1)) { $0.leader == 1 })
        let tokens = world.candidates.flatMap { $0.terms.map(\.token) }
        #expect(tokens == tokens.sorted() && Set(tokens).count == 2)
        #expect(world.candidates[1].terms.map(\.term) == [2])
        #expect(world.violations.isEmpty)
    }
}
