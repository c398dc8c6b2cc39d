import LeaderElection
import Simulation
import Testing

/// Row 10, and the other ways in which a body comes to its end.
@Suite struct StoppingTests {
    private func led(_ body: Candidate.Body, drainLimit: Duration? = nil) throws -> ElectionWorld {
        var world = ElectionWorld(registers: 3)
        world.join(try .replica("a", drainLimit: drainLimit), body: body)
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        world.join(try .replica("b"))
        world.run(for: .seconds(1))
        return world
    }

    @Test func drainedThenHandedOver() throws {
        var world = try led(.init(afterDrain: .milliseconds(500)))
        world.send(.stop, to: 0)
        #expect(world.run(for: .milliseconds(499)) { $0.leader != 0 } == false)
        #expect(world.run(for: .milliseconds(100)) { $0.leader == 1 })
        #expect(world.candidates[0].ends.map(\.1) == [.shutdown])
        #expect(world.candidates[0].notes.last == .released)
        world.run(for: .seconds(1))
        #expect(world.candidates[0].stoppedClean == true)
        #expect(world.violations.isEmpty)
    }

    @Test func theLeaseIsRenewedWhileTheBodyDrains() throws {
        var world = try led(.init(afterDrain: .seconds(60)))
        world.send(.stop, to: 0)
        #expect(world.run(for: .seconds(59)) { $0.leader != 0 } == false)
        #expect(world.run(for: .milliseconds(1100)) { $0.leader == 1 })
        #expect(world.violations.isEmpty)
    }

    @Test func aBodyThatDrainsForEverIsCancelledAtTheLimit() throws {
        var world = try led(.init(afterDrain: nil, afterCancel: .milliseconds(10)), drainLimit: .seconds(10))
        world.send(.stop, to: 0)
        #expect(world.run(for: .milliseconds(10_100)) { $0.leader == 1 })
        #expect(world.candidates[0].ends.map(\.1) == [.shutdown])
        #expect(world.candidates[0].notes.contains(.released))
        #expect(world.violations.isEmpty)
    }

    @Test func aBodyThatIgnoresCancellationKeepsTheLeaseToItsEnd() throws {
        var world = try led(.init(afterDrain: nil, afterCancel: .seconds(20)))
        world.send(.cancel, to: 0)
        world.run(for: .milliseconds(1))
        #expect(world.leader == nil, "no handler is called after the end")
        #expect(world.run(for: .seconds(5)) { $0.leader == 1 } == false)
        #expect(world.run(for: .seconds(4)) { $0.leader == 1 })
        let term = try #require(world.candidates[0].terms.first).term
        #expect(world.candidates[0].notes.contains(.overran(term: term)))
        #expect(world.candidates[0].stoppedClean == nil)
        world.run(for: .seconds(20))
        #expect(world.candidates[0].stoppedClean == false)
        #expect(world.violations.isEmpty)
    }

    /// Row 7: a leader that was stopped together with its process learns of the end only when the lease is
    /// long over.
    @Test(arguments: [Duration.milliseconds(50), .seconds(5)])
    func aBodyThatWasStoppedTooHasTheStopBudgetToReturn(takes: Duration) throws {
        var world = try led(.init(afterDrain: nil, afterCancel: takes))
        world.pause(0, for: .seconds(20))
        world.run(for: .seconds(30))
        let term = try #require(world.candidates[0].terms.first).term
        let isLate = takes > .seconds(1)
        #expect(world.candidates[0].notes.contains(.overran(term: term)) == isLate)
        #expect(world.candidates[0].ends.map(\.1) == [.renewTimeout])
        #expect(world.violations.isEmpty)
    }

    @Test func cancelledItReleasesWhatItStillHolds() throws {
        var world = try led(.init(afterDrain: nil, afterCancel: .milliseconds(20)))
        world.send(.cancel, to: 0)
        #expect(world.run(for: .milliseconds(100)) { $0.leader == 1 })
        world.run(for: .seconds(1))
        #expect(world.candidates[0].stoppedClean == true)
        #expect(world.violations.isEmpty)
    }

    @Test func whileDrainingTheLeaseMayStillBeLost() throws {
        var world = try led(.init(afterDrain: .seconds(30), afterCancel: .milliseconds(10)))
        world.send(.stop, to: 0)
        world.run(for: .milliseconds(10))
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            trip.isLost = candidate == 0
            return trip
        }
        #expect(world.run(for: .seconds(9)) { $0.leader == 1 })
        #expect(world.candidates[0].ends.map(\.1) == [.renewTimeout])
        #expect(world.violations.isEmpty)
    }

    @Test func resigningLetsAnotherWin() throws {
        var world = try led(.init())
        world.send(.resign, to: 0)
        #expect(world.run(for: .milliseconds(100)) { $0.leader == 1 })
        #expect(world.candidates[0].ends.map(\.1) == [.resigned])
        world.run(for: .seconds(20))
        #expect(world.leader == 1)
        #expect(world.candidates[0].notes.last == .following(leader: "b"))
    }

    @Test(arguments: [LeaseMachine.BodyOutcome.returned, .failed, .fencedOut])
    func aBodyThatEndsGivesTheTermUp(outcome: LeaseMachine.BodyOutcome) throws {
        var world = try led(.init(lifetime: .milliseconds(1500), outcome: outcome))
        #expect(world.run(for: .seconds(1)) { $0.leader == 1 })
        let reasons: [LeaseMachine.BodyOutcome: TermEnd] = [
            .returned: .finished, .failed: .failed, .fencedOut: .fenced,
        ]
        #expect(world.candidates[0].ends.map(\.1) == [reasons[outcome]])
        #expect(world.violations.isEmpty)
    }

    @Test func aBodyThatFailsAgainAndAgainIsTriedLessAndLess() throws {
        var world = ElectionWorld(registers: 1)
        world.join(try .replica("a", registers: 1), body: .init(lifetime: .milliseconds(1), outcome: .failed))
        world.run(for: .seconds(300))
        #expect((8...20).contains(world.candidates[0].terms.count))
        #expect(world.violations.isEmpty)
    }

    @Test func noTermBeginsBeforeTheLastBodyReturned() throws {
        var world = ElectionWorld(registers: 3)
        world.join(try .replica("a"), body: .init(afterCancel: .seconds(30)))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        for register in world.registers.indices { world.registers[register].lock = nil }
        world.run(for: .seconds(30))
        #expect(world.candidates[0].terms.count == 1)
        #expect(world.run(for: .seconds(4)) { $0.candidates[0].terms.count == 2 })
        #expect(world.violations.isEmpty)
    }

    @Test func stoppingEarlyAndTwice() throws {
        for delay in 0..<40 {
            var world = ElectionWorld(registers: 3)
            world.join(try .replica("a"))
            world.run(for: .microseconds(delay * 100))
            world.send(.stop, to: 0)
            world.send(.stop, to: 0)
            world.send(.resign, to: 0)
            world.send(.cancel, to: 0)
            world.run(for: .seconds(2))
            #expect(world.candidates[0].stoppedClean == true)
            #expect(world.votes(of: 0) == 0)
            #expect(world.violations.isEmpty)
        }
    }
}
