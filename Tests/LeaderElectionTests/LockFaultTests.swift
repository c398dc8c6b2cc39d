import LeaderElection
import Simulation
import Testing

/// The faults of the locks that are usually copied, one regression test each.
@Suite struct LockFaultTests {
    /// Redis: a plain EXPIRE, without looking whose lock it is, prolongs the lock of the rival.
    @Test func renewingWithoutOwnerCheckExtendsTheRivalsLock() throws {
        var world = try ElectionWorld.led(followers: 1, ttl: .seconds(2))
        world.pause(0, for: .milliseconds(2600))
        try #require(world.run(for: .milliseconds(2500)) { $0.leader == 1 })
        // Its first renewal follows at once.
        world.run(for: .milliseconds(10))
        world.kill(1)
        let deadlines = world.registers.compactMap { $0.held(at: world.now)?.until }
        world.run(for: .milliseconds(600))
        #expect(world.registers.compactMap { $0.held(at: world.now)?.until } == deadlines)
        #expect(world.violations.isEmpty)
    }

    /// Redis: a flag says "I lead", and nothing ever takes it back.
    @Test func leadershipIsNeverGivenUp() throws {
        var world = try ElectionWorld.led(followers: 1, ttl: .seconds(2))
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            trip.isLost = candidate == 0
            return trip
        }
        world.run(for: .seconds(10))
        #expect(world.candidates[0].leadership == nil)
        #expect(world.leader == 1)
        #expect(world.violations.isEmpty)
    }

    /// Redis: one client for the whole cluster makes a quorum of one.
    @Test(arguments: [3, 5])
    func aQuorumOfOne(registers: Int) throws {
        var world = ElectionWorld(registers: registers)
        for register in 1..<registers { world.registers[register].isDown = true }
        world.join(try .replica("a", registers: registers))
        world.run(for: .seconds(20))
        #expect(world.candidates[0].terms.isEmpty)
    }

    /// MySQL: the same host name means "still me", so a restarted twin leads at once beside the old one.
    @Test func aTwinOfTheSameNameLeadsToo() throws {
        var world = try ElectionWorld.led()
        world.join(try .replica("a"))
        world.run(for: .seconds(30))
        #expect(world.candidates[1].terms.isEmpty)
        #expect(world.violations.isEmpty)
    }

    /// etcd: after the lease is lost the program campaigns no more.
    @Test func nobodyCampaignsAgainAfterALoss() throws {
        var world = try ElectionWorld.led()
        for register in world.registers.indices { world.registers[register].lock = nil }
        #expect(world.run(for: .seconds(4)) { $0.candidates[0].terms.count == 2 })
    }

    /// Redis: blocked in the acquiring of a lock, the program does not stop for 16 s.
    @Test func stoppingWaitsForTheLock() throws {
        var world = try ElectionWorld.led()
        world.join(try .replica("b"))
        for register in world.registers.indices {
            world.after(.milliseconds(1)) { $0.registers[register].isBlackHole = true }
        }
        world.run(for: .milliseconds(10))
        world.send(.stop, to: 1)
        #expect(world.run(for: .milliseconds(1100)) { $0.candidates[1].stoppedClean == true })
    }

    /// MySQL lease table: the heartbeat of a row that has expired resurrects it.
    @Test func anExpiredLeaseIsResurrected() throws {
        var world = try ElectionWorld.led(ttl: .seconds(2))
        world.pause(0, for: .seconds(3))
        world.run(for: .seconds(4))
        #expect(world.candidates[0].ends.map(\.1) == [.renewTimeout])
        #expect(world.candidates[0].terms.count == 2)
        #expect(Set(world.candidates[0].terms.map(\.claim)).count == 2)
        #expect(world.violations.isEmpty)
    }

    /// Consul: a cancelled request that was executed all the same keeps a session, and so the lock, for
    /// ever.
    @Test func aRequestThatWasGivenUpKeepsTheLock() throws {
        var world = ElectionWorld(registers: 1)
        world.network = { _, _, request in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            if case .acquire = request.operation { trip.there = .milliseconds(600) }
            return trip
        }
        world.join(try .replica("a", registers: 1))
        world.run(for: .milliseconds(400))
        world.send(.stop, to: 0)
        world.run(for: .seconds(2))
        #expect(world.votes(of: 0) == 0)
    }
}
