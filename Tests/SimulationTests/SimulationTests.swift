import Simulation
import Testing

/// The decisions of a group, in simulated time, under faults drawn from seeds.
@Suite struct SimulationTests {
    /// A failing seed is a test case: `lapse-simulate --from SEED --seeds 1` shrinks and prints it.
    /// More of them are run by the release build: `scripts/test`, `scripts/simulate`.
    @Test(arguments: 0..<2)
    func theInvariantsHold(batch: UInt64) throws {
        for seed in batch * 100 + 1...batch * 100 + 100 {
            let violation = try SimulatedWorld(Schedule(seed: seed)).run()
            #expect(violation == nil, "seed \(seed)")
        }
    }

    /// Seeds that broke an invariant until its cause was mended.
    @Test(
        arguments: [
            8_319, 15_545, 23_495, 30_733, 30_856, 47_974, 51_428, 62_082, 63_114, 67_434, 74_426, 96_775, 133_327,
        ] as [UInt64])
    func whatOnceBrokeHolds(seed: UInt64) throws {
        #expect(try SimulatedWorld(Schedule(seed: seed, situations: [])).run() == nil)
    }

    /// The same of runs with their situations.
    @Test(arguments: [2_962, 6_200, 6_951, 13_647, 16_749, 19_339, 21_275, 53_376, 76_496, 97_922] as [UInt64])
    func whatOnceBrokeInASituationHolds(seed: UInt64) throws {
        #expect(try SimulatedWorld(Schedule(seed: seed)).run() == nil)
    }

    /// Row 56: what a leader told that left in order, or died, and a replica that began meanwhile.
    @Test(arguments: [68, 156, 236, 2_579] as [UInt64])
    func whatTheRegistersRefuseIsKnown(seed: UInt64) throws {
        let allowances = Set(Allowance.allCases).subtracting([.untoldNewcomer])
        let schedule = Schedule(seed: seed, situations: [.fullStore])
        #expect(try SimulatedWorld(schedule, allowing: allowances).run() == nil)
    }

    /// The simulation has teeth: each planted mistake breaks an invariant, within so many seeds.
    @Test(
        arguments: [
            (.renewWithoutOwnerCheck, [.i5], 200),
            (.releaseBeforeDrain, [.i4], 200),
            (.progressBeforeCompletion, [.i13], 200), (.quorumFromReachable, [.i1, .i7], 200),
            (.cursorNotRestored, [.i8, .i9], 300), (.ownWordFromView, [.i13], 100), (.pongOnly, [.i8], 100),
            (.readNeedsWrite, [.i8], 50), (.pendingAges, [.i12], 50), (.baseUntold, [.i13], 50),
            (.floorUnknown, [.i8, .i13], 50), (.rulesUncompared, [.i1], 50), (.addressBelieved, [.foreign], 50),
        ] as [(Defect, Set<Invariant>, UInt64)])
    func everyPlantedMistakeIsFound(defect: Defect, breaks: Set<Invariant>, within seeds: UInt64) throws {
        var found: Invariant?
        for seed in 1...seeds where found == nil {
            found = try SimulatedWorld(defect.schedule(seed), defect: defect).run()?.invariant
        }
        #expect(found.map(breaks.contains) == true, "\(found.map { "\($0)" } ?? "not found")")
    }

    /// Handlers that take batches, and keys that kill the process that handles them.
    @Test(arguments: [.batches, .poison] as [Situation])
    func handlersOfEachKind(situation: Situation) throws {
        for seed in 1...(situation == .batches ? 40 : 15) as ClosedRange<UInt64> {
            let violation = try SimulatedWorld(Schedule(seed: seed, situations: [situation])).run()
            #expect(violation == nil, "seed \(seed)")
        }
    }

    /// Row 8: within a lease, and while it asks its peers.
    @Test func aLeaderIsStopped() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let violation = try SimulatedWorld(Schedule(seed: seed, situations: [.stoppedQuestion])).run()
            #expect(violation == nil, "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            (.leaseAskedOnce, [.i1], 40), (.halfIsWhole, [.i13], 20), (.nodeNotAwaited, [.turn], 20),
            (.termsUncounted, [.poison], 10), (.suspectsForgotten, [.poison], 10), (.endUnnoted, [.poison, .i8], 10),
        ] as [(Defect, Set<Invariant>, UInt64)])
    func aMistakeAboutHandlersIsFound(defect: Defect, breaks: Set<Invariant>, within seeds: UInt64) throws {
        try everyPlantedMistakeIsFound(defect: defect, breaks: breaks, within: seeds)
    }

    /// Words that are refused once, answered late, or swallowed; full stores, counters that rise or fall
    /// unheard, and leases of different lengths.
    @Test(arguments: Situation.heldLately + Situation.heldLast)
    func eachSituationHolds(situation: Situation) throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let violation = try SimulatedWorld(Schedule(seed: seed, situations: [situation])).run()
            #expect(violation == nil, "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            (.refusedBaseTold, [.i8, .i13], 100), (.refusedAnswerGiven, [.i8], 50), (.anyTryEnds, [.tries], 50),
            (.swallowedIsFailed, [.said], 20), (.tellingUnheard, [.twice], 20), (.countedIsLost, [.i9], 20),
            (.permitOutlastsSignature, [.i1], 60),
        ] as [(Defect, Set<Invariant>, UInt64)])
    func aMistakeAboutWordsIsFound(defect: Defect, breaks: Set<Invariant>, within seeds: UInt64) throws {
        try everyPlantedMistakeIsFound(defect: defect, breaks: breaks, within: seeds)
    }

    /// Every twentieth seed has one of the situations that came last; all others are as they were.
    @Test func onlyEveryTwentiethSeedHasThem() {
        let drawn = (1...100 as ClosedRange<UInt64>).filter { seed in
            !Set(Schedule(seed: seed).situations).isDisjoint(with: Situation.heldLast)
        }
        #expect(drawn == [9, 29, 49, 69, 89])
    }

    /// While no Sentinel is in reach a silence of the master is settled by what the servers say.
    @Test func noSentinelIsInReach() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let violation = try SimulatedWorld(Schedule(seed: seed, situations: [.noSentinels])).run()
            #expect(violation == nil, "seed \(seed)")
        }
        try everyPlantedMistakeIsFound(defect: .looksNeedSentinels, breaks: [.i12, .late], within: 20)
        try everyPlantedMistakeIsFound(defect: .lastViewStands, breaks: [.i12, .late], within: 20)
    }

    /// A tenth of the seeds has these, and no other one.
    @Test func onlySeedsThatEndInFourHaveThem() {
        let drawn = (1...60 as ClosedRange<UInt64>).filter { seed in
            !Set(Schedule(seed: seed).situations).isDisjoint(with: Situation.heldLately)
        }
        #expect(drawn == [4, 14, 24, 34, 44, 54])
    }

    /// Two that show in few runs only.
    @Test func aLeaseThatIsCountedFromItsAnswerIsTooLong() throws {
        let schedule = Defect.deadlineFromResponse.schedule(1_262)
        #expect(try SimulatedWorld(schedule).run() == nil)
        #expect(try SimulatedWorld(schedule, defect: .deadlineFromResponse).run()?.invariant == .i1)
    }

    @Test func aLockThatIsLookedForAnywhereExcusesALoss() throws {
        let schedule = Defect.lockAnywhere.schedule(5_608)
        #expect(try SimulatedWorld(schedule).run() == nil)
        #expect(try SimulatedWorld(schedule, defect: .lockAnywhere).run()?.invariant == .lock)
    }

    @Test(arguments: [3, 14, 15] as [UInt64])
    func theSameSeedIsTheSameRun(seed: UInt64) throws {
        let runs = try (0..<2).map { _ in
            let world = try SimulatedWorld(Schedule(seed: seed), recording: true)
            _ = world.run()
            return world
        }
        #expect(runs[0].trace.steps > 50)
        #expect(runs[0].trace.lines == runs[1].trace.lines)
        #expect(runs[0].trace.digest == runs[1].trace.digest)
    }

    @Test func otherSeedsAreOtherRuns() throws {
        let digests = try (1...20 as ClosedRange<UInt64>).map { seed in
            let world = try SimulatedWorld(Schedule(seed: seed))
            _ = world.run()
            return world.trace.digest
        }
        #expect(Set(digests).count == 20)
    }

    @Test func theShrinkerLeavesOnlyWhatIsNeeded() throws {
        let defect = Defect.releaseBeforeDrain
        let seed = try #require(
            try (1...500 as ClosedRange<UInt64>).first { seed in
                let schedule = defect.schedule(seed)
                return try schedule.faults.count > 4 && SimulatedWorld(schedule, defect: defect).run()?.invariant == .i4
            })
        let schedule = defect.schedule(seed)
        var shrinker = Shrinker(.i4, defect: defect)
        let small = try shrinker.shrink(schedule)
        #expect(small.faults.count < schedule.faults.count)
        #expect(small.traffic <= schedule.traffic)
        #expect(try SimulatedWorld(small, defect: defect).run()?.invariant == .i4)
        // The numbers of the faults that are left give the same schedule again.
        #expect(schedule.only(small.faults.map(\.number)).faults == small.faults)
    }
}
