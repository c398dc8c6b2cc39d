import LeaderElection
import Testing

/// The invariants under seeded random schedules: messages lost, late, doubled and cut; replicas stopped, killed and
/// revived; clocks set; registers restarted empty, one at a time; terms given up. A failing seed is a test case.
@Suite struct RandomScheduleTests {
    /// How bad the network is at the moment.
    private func trip(_ random: inout RandomSource, badness: Int) -> World.Trip {
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        func delay() -> Duration {
            .microseconds(Int.random(in: chance(badness) ? 1000...400_000 : 100...2000, using: &random))
        }
        var trip = World.Trip(there: delay(), back: delay())
        trip.isLost = chance(badness / 2)
        trip.answerIsLost = chance(badness / 2)
        trip.isCut = chance(badness / 2)
        trip.isDoubled = chance(badness / 2)
        return trip
    }

    private func misfortune(_ world: inout World) {
        let candidate = Int.random(in: world.candidates.indices, using: &world.random)
        let someTime = Duration.milliseconds(Int.random(in: 1...4000, using: &world.random))
        switch Int.random(in: 0..<10, using: &world.random) {
        case 0, 1:
            guard world.candidates[candidate].isAlive else { return }
            world.kill(candidate)
            world.after(someTime) { $0.revive(candidate) }
        case 2, 3: world.pause(candidate, for: someTime)
        case 4: world.candidates[candidate].wallOffset += .seconds(Int.random(in: -3600...3600, using: &world.random))
        case 5: world.send(.resign, to: candidate)
        case 6: world.send(.wakeUp, to: candidate)
        case 7:
            let badness = Int.random(in: 0...60, using: &world.random)
            world.network = { random, _, _ in trip(&random, badness: badness) }
        case 8:
            // A partition of one candidate from some registers.
            let cut = Int.random(in: 1..<8, using: &world.random)
            world.network = { random, other, request in
                var trip = trip(&random, badness: 10)
                if other == candidate, cut & (1 << request.register) != 0 { trip.isLost = true }
                return trip
            }
        default:
            // At most one register within a lease loses its data: the stated assumption.
            let last = world.registers.map { $0.startedAt }.max() ?? .zero
            guard world.now - last > .seconds(3) else { return }
            let register = Int.random(in: world.registers.indices, using: &world.random)
            world.registers[register].restartEmpty(at: world.now)
        }
    }

    @Test(arguments: 0..<8)
    func theInvariantsHold(batch: Int) throws {
        for seed in UInt64(batch * 30 + 1)...UInt64(batch * 30 + 30) {
            let count = seed % 4 == 0 ? 5 : 3
            var world = World(registers: count, seed: seed)
            for id in ["a", "b", "c"] {
                let body = Candidate.Body(
                    afterDrain: .milliseconds(Int.random(in: 0...500, using: &world.random)),
                    afterCancel: .milliseconds(Int.random(in: 0...3000, using: &world.random)),
                    lifetime: seed % 3 == 0 ? .seconds(7) : nil)
                world.join(try .replica(id, registers: count, ttl: .seconds(2)), body: body)
            }
            for _ in 0..<40 {
                world.run(for: .milliseconds(Int.random(in: 1...800, using: &world.random)))
                misfortune(&world)
            }
            // I6: the world heals.
            world.network = World.quietNetwork
            world.run(for: .seconds(4))
            for candidate in world.candidates.indices where !world.candidates[candidate].isAlive {
                world.revive(candidate)
            }
            let retry = try LeaseTiming(ttl: .seconds(2)).retryLimit
            let patience = Duration.seconds(2) + retry * 2 + .seconds(1)
            #expect(world.run(for: patience) { $0.leader != nil }, "I6, seed \(seed)")
            #expect(world.violations.isEmpty, "seed \(seed)")
        }
    }
}
