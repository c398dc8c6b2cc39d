import LeaderElection
import Simulation
import Testing

/// Rows 11, 12, 13: clocks that jump, and clocks that run fast or slow.
@Suite struct ClockTests {
    @Test(arguments: [Duration.seconds(3600), .seconds(-3600)], [0, 1])
    func aWallClockJumps(by jump: Duration, of candidate: Int) throws {
        var world = try ElectionWorld.led(followers: 1)
        world.candidates[candidate].wallOffset += jump
        world.run(for: .seconds(30))
        #expect(world.leader != nil)
        if candidate == 0, jump > .zero {
            #expect(world.candidates[0].ends.map(\.1) == [.clockJump])
        } else {
            #expect(world.candidates[0].ends.isEmpty)
        }
        #expect(world.violations.isEmpty)
    }

    /// A virtual machine that was paused: its monotonic clock stood still, its wall clock was put right.
    @Test func aPausedVirtualMachine() throws {
        var world = try ElectionWorld.led(followers: 1)
        world.pause(0, for: .seconds(10))
        world.candidates[0].monotonicOffset -= .seconds(10)
        #expect(world.run(for: .seconds(9)) { $0.leader == 1 })
        world.run(for: .seconds(3))
        #expect(world.candidates[0].ends.map(\.1) == [.clockJump])
        #expect(world.leader == 1)
        #expect(world.violations.isEmpty)
    }

    /// Row 12: one register's clock jumps past the lease.
    @Test(arguments: 0..<3)
    func oneRegisterClockJumps(register: Int) throws {
        var world = try ElectionWorld.led(followers: 2)
        world.registers[register].clockOffset += .seconds(8)
        world.run(for: .seconds(20))
        #expect(world.leader == 0)
        #expect(world.candidates[0].terms.count == 1)
        #expect(world.violations.isEmpty)
    }

    /// Row 12: a majority of them does. The lease may break, and does; the tokens go on growing.
    @Test func aMajorityOfRegisterClocksJumps() throws {
        var world = try ElectionWorld.led(followers: 1)
        world.registers[0].clockOffset += .seconds(8)
        world.registers[1].clockOffset += .seconds(8)
        world.send(.wakeUp, to: 1)
        world.run(for: .seconds(20))
        #expect(world.violations.allSatisfy { $0.contains("I1") })
        #expect(world.leader != nil)
    }

    private func contested(clockDrift: Double, leader: Double, registers: Double, seed: UInt64) throws -> ElectionWorld
    {
        var world = ElectionWorld(registers: 3, seed: seed)
        world.join(try .replica("a", clockDrift: clockDrift, stopBudget: .zero))
        world.candidates[0].clockRate = leader
        for register in world.registers.indices { world.registers[register].clockRate = registers }
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("b", clockDrift: clockDrift, stopBudget: .zero))
        world.candidates[1].clockRate = registers
        world.run(for: .milliseconds(Int(seed) * 131))
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            trip.isLost = candidate == 0
            return trip
        }
        world.run(for: .seconds(12))
        return world
    }

    /// Row 13: the leader's clock runs at 0.9, the registers' at 1.1.
    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func ratesWithinTheConfiguredDriftAreSafe(seed: UInt64) throws {
        let world = try contested(clockDrift: 0.2, leader: 0.9, registers: 1.1, seed: seed)
        #expect(world.leader == 1)
        #expect(world.violations.isEmpty)
    }

    @Test func ratesBeyondTheConfiguredDriftAreFoundOut() throws {
        let world = try contested(clockDrift: 0.01, leader: 0.9, registers: 1.1, seed: 1)
        #expect(world.violations.contains { $0.contains("I1") }, "the checker is blind")
    }
}
