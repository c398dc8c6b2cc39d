import LeaderElection
import Simulation
import Testing
import Timing

/// Rows 5 to 9, 17: how a leader stops being one.
@Suite struct LosingTheLeaseTests {
    /// Row 5.
    @Test(arguments: [1, 3])
    func blackHoledItStepsDownWithoutAnyAnswer(registers: Int) throws {
        var world = try ElectionWorld.led(registers: registers, followers: 1)
        // The leader alone is cut off.
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            trip.isLost = candidate == 0
            return trip
        }
        let window = try #require(world.candidates[0].leadership?.window)
        #expect(world.run(for: .seconds(9)) { $0.leader == 1 })
        let end = try #require(world.candidates[0].ends.first)
        #expect(end.1 == .renewTimeout)
        let lateBy = world.candidates[0].clock(end.at).monotonic - window.leadUntil.monotonic
        #expect(lateBy >= .zero && lateBy < .milliseconds(1))
        let rival = try #require(world.beginnings.last)
        #expect(world.candidates[0].clock(rival.at).monotonic > window.deadline.monotonic)
        #expect(world.violations.isEmpty)
    }

    /// Row 6.
    @Test func twoFailedRenewalsAreASuspicionNotALoss() throws {
        var world = try ElectionWorld.led()
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            trip.isLost = true
            return trip
        }
        #expect(world.run(for: .seconds(4)) { !$0.candidates[0].notes.isEmpty })
        world.run(for: .milliseconds(700))
        #expect(world.candidates[0].notes == [.suspect])
        world.network = ElectionWorld.quietNetwork
        world.run(for: .seconds(1))
        #expect(world.candidates[0].notes == [.suspect, .recovered])
        #expect(world.candidates[0].terms.count == 1)
        #expect(world.leader == 0)
        #expect(world.violations.isEmpty)
    }

    /// Row 7: stopped for longer than the lease, at every moment of a renewal's life.
    @Test(arguments: 0..<60)
    func pausedPastTheLease(moment: Int) throws {
        var world = try ElectionWorld.led(followers: 1, ttl: .seconds(2))
        world.run(for: .milliseconds(moment * 12))
        world.pause(0, for: .milliseconds(2500))
        #expect(world.run(for: .milliseconds(2400)) { $0.leader == 1 })
        let rival = world.holders
        world.run(for: .milliseconds(1500))
        #expect(world.candidates[0].ends.map(\.1) == [.renewTimeout])
        #expect(world.leader == 1)
        #expect(world.holders == rival, "the rival's lock was touched")
        #expect(world.violations.isEmpty)
    }

    /// Row 7, between the clock reading and the first byte, and inside a release.
    @Test func delayedOnTheWayOut() throws {
        var world = try ElectionWorld.led(followers: 1, ttl: .seconds(2))
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            if candidate == 0 { trip.there = .seconds(3) }
            return trip
        }
        #expect(world.run(for: .seconds(3)) { $0.leader == 1 })
        let rival = world.holders
        world.send(.stop, to: 0)
        world.run(for: .seconds(4))
        #expect(world.leader == 1)
        #expect(world.holders == rival)
        #expect(world.violations.isEmpty)
    }

    /// Row 8.
    @Test func pausedForLessThanTheLease() throws {
        var world = try ElectionWorld.led(followers: 2)
        for _ in 0..<10 {
            world.pause(0, for: .milliseconds(3900))
            world.run(for: .seconds(7))
        }
        #expect(world.leader == 0)
        #expect(world.candidates[0].terms.count == 1)
        #expect(world.violations.isEmpty)
    }

    /// Row 9: the time to a new leader after a crash.
    @Test(arguments: [1, 3, 5])
    func aCrashIsFollowedWithinTheLease(registers: Int) throws {
        for seed in 1...50 as ClosedRange<UInt64> {
            var world = try ElectionWorld.led(registers: registers, followers: 2, seed: seed)
            world.run(for: .milliseconds(Int(seed) * 97))
            world.kill(0)
            #expect(world.run(for: .milliseconds(8250)) { $0.leader != nil }, "seed \(seed)")
            #expect(world.violations.isEmpty)
        }
    }

    /// Row 17: an operator deletes the lock.
    @Test(arguments: [true, false])
    func aDeletedLockIsNoticedByTheNextRenewal(flushed: Bool) throws {
        var world = try ElectionWorld.led()
        let first = try #require(world.candidates[0].terms.first)
        for register in world.registers.indices {
            world.registers[register].lock = nil
            if flushed {
                world.registers[register].counter = 0
                world.registers[register].term = 0
            }
        }
        #expect(world.run(for: .milliseconds(2700)) { !$0.candidates[0].ends.isEmpty })
        #expect(world.candidates[0].ends.map(\.1) == [.lost])
        #expect(world.run(for: .seconds(1)) { $0.leader == 0 })
        let second = try #require(world.candidates[0].terms.last)
        #expect(second.token > first.token)
        #expect(second.claim != first.claim)
        #expect(world.violations.isEmpty)
    }

    /// Row 17, with a push: a wake-up makes the leader look at once.
    @Test func aWakeUpMakesTheLeaderLook() throws {
        var world = try ElectionWorld.led()
        for register in world.registers.indices { world.registers[register].lock = nil }
        world.send(.wakeUp, to: 0)
        #expect(world.run(for: .milliseconds(200)) { !$0.candidates[0].ends.isEmpty })
        #expect(world.candidates[0].ends.map(\.1) == [.lost])
    }
}
