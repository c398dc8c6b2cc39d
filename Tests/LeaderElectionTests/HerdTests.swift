import LeaderElection
import Simulation
import Testing

/// Row 19: many candidates.
@Suite struct HerdTests {
    private func herd(_ count: Int, seed: UInt64) throws -> ElectionWorld {
        var world = ElectionWorld(registers: 3, seed: seed)
        for candidate in 0..<count { world.join(try .replica("c\(candidate)")) }
        return world
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func fiftyCandidatesAtOnce(seed: UInt64) throws {
        var world = try herd(50, seed: seed)
        #expect(world.run(for: .seconds(3)) { $0.leader != nil }, "livelock")
        world.run(for: .seconds(5))
        #expect(world.beginnings.count == 1)
        // In registers' requests: 3 for an attempt.
        for candidate in world.candidates { #expect(candidate.acquires <= 3 * 30) }
        // From now on a follower looks about once in a lease.
        let before = world.candidates.map(\.acquires)
        world.run(for: .seconds(80))
        for (candidate, before) in zip(world.candidates, before) { #expect(candidate.acquires - before <= 3 * 20) }
        #expect(world.violations.isEmpty)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func fiftyCandidatesWokenTogether(seed: UInt64) throws {
        var world = try herd(50, seed: seed)
        try #require(world.run(for: .seconds(3)) { $0.leader != nil })
        world.run(for: .seconds(5))
        let first = try #require(world.leader)
        let before = world.candidates.map(\.acquires)
        world.send(.stop, to: first)
        #expect(world.run(for: .seconds(3)) { $0.leader != nil && $0.leader != first }, "livelock")
        for (candidate, before) in zip(world.candidates, before) { #expect(candidate.acquires - before <= 3 * 30) }
        #expect(world.violations.isEmpty)
    }
}
