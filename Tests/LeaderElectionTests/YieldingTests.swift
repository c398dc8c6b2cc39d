import LeaderElection
import Simulation
import Testing

/// An operator has named the next leader: all others let it win.
@Suite struct YieldingTests {
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func theOneThatDoesNotYieldWins(seed: UInt64) throws {
        var world = try ElectionWorld.led(followers: 3, seed: seed)
        for other in [0, 1, 3] { world.send(.yield(.seconds(20)), to: other) }
        world.send(.resign, to: 0)
        #expect(world.run(for: .seconds(2)) { $0.leader == 2 })
        world.run(for: .seconds(30))
        #expect(world.leader == 2)
        #expect(world.violations.isEmpty)
    }

    @Test func aGroupThatYieldsToNoneHasALeaderAfterTheHeadStart() throws {
        var world = try ElectionWorld.led(followers: 2)
        for replica in 0..<3 { world.send(.yield(.seconds(20)), to: replica) }
        world.send(.resign, to: 0)
        #expect(world.run(for: .seconds(3)) { [1, 2].contains($0.leader) })
        #expect(world.violations.isEmpty)
    }

    @Test func aCrashOfTheLeaderDoesNotOutlastTheYield() throws {
        var world = try ElectionWorld.led(followers: 2)
        for replica in 1...2 { world.send(.yield(.seconds(20)), to: replica) }
        world.kill(0)
        #expect(world.run(for: .seconds(22)) { [1, 2].contains($0.leader) })
        #expect(world.violations.isEmpty)
    }

    @Test func oneThatNeedNotYieldAnyMoreLooksAtOnce() throws {
        var world = try ElectionWorld.led(followers: 1)
        world.wakeUpDelay = nil
        world.send(.yield(.seconds(30)), to: 1)
        world.kill(0)
        #expect(!world.run(for: .seconds(12)) { $0.leader == 1 })
        world.send(.yield(.zero), to: 1)
        #expect(world.run(for: .seconds(1)) { $0.leader == 1 })
    }
}
