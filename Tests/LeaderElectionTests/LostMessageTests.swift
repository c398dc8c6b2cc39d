import LeaderElection
import Simulation
import Testing
import Timing

/// Rows 2, 3 and 4: votes that were applied though the answer came too late or never.
@Suite struct LostMessageTests {
    /// Row 2. The operation timeout is 500 ms with a lease of 8 s.
    @Test(arguments: [1, 3])
    func aSlowVoteIsNotCountedAndIsGivenBack(registers: Int) throws {
        var world = ElectionWorld(registers: registers)
        world.network = { _, _, request in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            if case .acquire = request.operation { trip.back = .milliseconds(700) }
            return trip
        }
        world.join(try .replica("a", registers: registers))
        world.run(for: .seconds(10))
        #expect(world.candidates[0].terms.isEmpty)
        world.network = ElectionWorld.quietNetwork
        // Its own late votes do not stand in its way: it leads long before they could have lapsed.
        #expect(world.run(for: .seconds(3)) { $0.leader == 0 })
        #expect(world.violations.isEmpty)
    }

    @Test func aLateVoteIsGivenBack() throws {
        var world = ElectionWorld(registers: 3)
        // The requests are slow, and overtaken by the releases of the attempt that gave up on them.
        world.network = { _, _, request in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            if case .acquire = request.operation { trip.there = .seconds(2) }
            return trip
        }
        world.join(try .replica("a"))
        world.run(for: .milliseconds(1100))
        world.send(.stop, to: 0)
        world.run(for: .seconds(3))
        #expect(world.candidates[0].stoppedClean == true)
        #expect(world.votes(of: 0) == 0)
        #expect(world.violations.isEmpty)
    }

    /// Row 3, acquire.
    @Test(arguments: [1, 3])
    func aVoteWhoseAnswerWasCutOffIsGrantedAgain(registers: Int) throws {
        var world = ElectionWorld(registers: registers)
        world.network = { _, _, request in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            trip.isCut = request.round == 1
            return trip
        }
        world.join(try .replica("a", registers: registers))
        #expect(world.run(for: .milliseconds(10)) { $0.leader == 0 })
        let values = Set(world.registers.map { $0.lock?.value })
        #expect(values == [world.candidates[0].terms.first?.claim.value])
        #expect(world.candidates[0].acquires == 2 * registers)
        #expect(world.violations.isEmpty)
    }

    /// Row 3, renew: applied everywhere, heard of nowhere.
    @Test func theDeadlineMovesOnlyWithAGoodRound() throws {
        var world = try ElectionWorld.led(followers: 1)
        let window = try #require(world.candidates[0].leadership?.window)
        world.network = { _, _, request in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            if case .renew = request.operation { trip.isCut = true }
            return trip
        }
        world.run(for: .seconds(4))
        #expect(world.leader == 0)
        #expect(world.candidates[0].leadership?.window == window)
        world.network = ElectionWorld.quietNetwork
        world.run(for: .seconds(1))
        let renewed = try #require(world.candidates[0].leadership?.window)
        #expect(renewed.start.monotonic > window.start.monotonic + .seconds(3))
        #expect(world.violations.isEmpty)
    }

    @Test func aLeaseCountsFromTheSendingOfItsRound() throws {
        var world = ElectionWorld(registers: 3)
        world.network = { _, _, _ in ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(400)) }
        world.join(try .replica("a"))
        #expect(world.run(for: .seconds(1)) { $0.leader == 0 })
        var window = try #require(world.candidates[0].leadership?.window)
        #expect(window.start == world.candidates[0].clock(.zero))
        for _ in 0..<3 {
            let last = window
            #expect(world.run(for: .seconds(4)) { $0.candidates[0].leadership?.window != last })
            window = try #require(world.candidates[0].leadership?.window)
            let answered = world.candidates[0].clock(world.now).monotonic
            #expect(answered - window.start.monotonic == .milliseconds(401))
        }
    }

    /// Row 3, release: whether it was applied or not, a follower leads within the lease.
    @Test(arguments: [true, false])
    func aReleaseThatNobodyConfirms(applied: Bool) throws {
        var world = try ElectionWorld.led(followers: 1)
        world.wakeUpDelay = nil
        world.network = { random, candidate, request in
            var trip = ElectionWorld.quietNetwork(&random, candidate, request)
            if case .release = request.operation {
                trip.isCut = applied
                trip.isLost = !applied
            }
            return trip
        }
        world.send(.stop, to: 0)
        #expect(world.run(for: .milliseconds(8250)) { $0.leader == 1 })
        #expect(world.candidates[0].stoppedClean == true)
        #expect(world.violations.isEmpty)
    }

    /// Row 4: the machine was paused while its votes came in, and only the wall clock knows.
    @Test func aMajorityThatComesTooLateIsWorthNothing() throws {
        var world = ElectionWorld(registers: 3)
        let confirmations = Recorder(0)
        world.network = { random, candidate, request in
            if case .confirm = request.operation { confirmations.value += 1 }
            return ElectionWorld.quietNetwork(&random, candidate, request)
        }
        world.join(try .replica("a"))
        world.after(.microseconds(50)) { $0.candidates[0].wallOffset += .seconds(9) }
        #expect(world.run(for: .milliseconds(9)) { !$0.candidates[0].terms.isEmpty } == false)
        #expect(world.votes(of: 0) == 0)
        #expect(confirmations.value == 0)
        // Later, with the clocks as they are now, it may lead.
        #expect(world.run(for: .seconds(1)) { $0.leader == 0 })
        #expect(world.violations.isEmpty)
    }

    /// Row 4, for a confirmation.
    @Test func aConfirmationThatComesTooLateIsWorthNothing() throws {
        var world = ElectionWorld(registers: 3)
        world.network = { _, _, _ in ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1)) }
        world.join(try .replica("a"))
        world.after(.milliseconds(3)) { $0.candidates[0].wallOffset += .seconds(9) }
        #expect(world.run(for: .milliseconds(10)) { !$0.candidates[0].terms.isEmpty } == false)
        #expect(world.votes(of: 0) == 0)
        #expect(world.violations.isEmpty)
    }

    @Test func doubledAnswersCountOnce() throws {
        var world = ElectionWorld(registers: 3)
        world.registers[1].isBlackHole = true
        world.registers[2].isBlackHole = true
        world.network = { _, _, _ in
            var trip = ElectionWorld.Trip(there: .milliseconds(1), back: .milliseconds(1))
            trip.isDoubled = true
            return trip
        }
        world.join(try .replica("a"))
        world.run(for: .seconds(5))
        #expect(world.candidates[0].terms.isEmpty)
        #expect(world.violations.isEmpty)
    }
}
