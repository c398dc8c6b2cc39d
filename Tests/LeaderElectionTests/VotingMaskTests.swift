import LeaderElection
import Simulation
import Testing

/// Row 1 of the fault table: every subset of the registers down or occupied, on acquire, renew and
/// release.
@Suite struct VotingMaskTests {
    enum Fault: CaseIterable {
        case none, down, blackHole, occupied
    }

    private func strike(_ world: inout ElectionWorld, _ faults: [Fault]) {
        for (register, fault) in faults.enumerated() {
            switch fault {
            case .none: break
            case .down: world.registers[register].isDown = true
            case .blackHole: world.registers[register].isBlackHole = true
            case .occupied: world.occupy(register, by: "foreign\(register):1", for: .seconds(3600))
            }
        }
    }

    @Test(arguments: [1, 3, 5])
    func aLeaderNeedsAMajority(registers: Int) throws {
        let states: [Fault] = registers == 5 ? [.none, .blackHole, .occupied] : Fault.allCases
        for faults in assignments(of: states, to: registers) {
            var world = ElectionWorld(registers: registers)
            strike(&world, faults)
            world.join(try .replica("a", registers: registers))
            world.run(for: .seconds(4))
            let free = faults.count { $0 == .none }
            #expect((world.leader != nil) == (free > registers / 2), "\(faults)")
            world.send(.stop, to: 0)
            // Nothing hangs, and no vote of a lost attempt stays behind.
            world.run(for: .seconds(2))
            #expect(world.candidates[0].stoppedClean == true, "\(faults)")
            #expect(world.votes(of: 0) == 0, "\(faults)")
            #expect(world.violations.isEmpty, "\(faults)")
        }
    }

    @Test(arguments: [1, 3, 5])
    func aLeaderStaysWithAMajority(registers: Int) throws {
        let states: [Fault] = registers == 5 ? [.none, .down, .occupied] : Fault.allCases
        for faults in assignments(of: states, to: registers) {
            var world = try ElectionWorld.led(registers: registers, followers: 1)
            strike(&world, faults)
            let lost = faults.count { $0 == .occupied }
            let good = faults.count { $0 == .none }
            world.run(for: .seconds(8))
            #expect((world.leader == 0) == (good > registers / 2), "\(faults)")
            if good <= registers / 2 {
                let reason: TermEnd = lost > registers / 2 ? .lost : .renewTimeout
                #expect(world.candidates[0].ends.map(\.1) == [reason], "\(faults)")
            }
            #expect(world.violations.isEmpty, "\(faults)")
        }
    }

    @Test(arguments: [1, 3, 5])
    func aReleaseReachesAllItCan(registers: Int) throws {
        let states: [Fault] = registers == 5 ? [.none, .down, .blackHole] : Fault.allCases
        for faults in assignments(of: states, to: registers) {
            var world = try ElectionWorld.led(registers: registers)
            strike(&world, faults)
            world.send(.stop, to: 0)
            world.run(for: .seconds(2))
            #expect(world.candidates[0].stoppedClean == true, "\(faults)")
            for (register, fault) in faults.enumerated() where fault == .none {
                #expect(world.holders[register] == nil, "\(faults)")
            }
            for (register, fault) in faults.enumerated() where fault == .occupied {
                #expect(world.holders[register] == "foreign\(register):1", "the lock of another was deleted: \(faults)")
            }
            #expect(world.violations.isEmpty, "\(faults)")
        }
    }

    @Test(arguments: [0, 2, 4, 6])
    func anEvenNumberIsRefused(registers: Int) {
        #expect(throws: ElectionError.self) { try LeaseMachine.Settings.replica("a", registers: registers) }
    }

    @Test func aLostVoteIsHealedWhileTheMajorityIsHeld() throws {
        var world = try ElectionWorld.led()
        world.registers[1].lock = nil
        world.run(for: .seconds(3))
        #expect(world.votes(of: 0) == 3)
        #expect(world.candidates[0].terms.count == 1)
        #expect(world.violations.isEmpty)
    }
}
