import Testing

@testable import Simulation

/// What makes servers punctual, in simulated time, under faults drawn from seeds.
@Suite struct PunctualSimulationTests {
    /// `lapse-simulate --punctual --seed SEED --seeds 1` shrinks and prints one that fails. More of them
    /// are run by the release build: `scripts/test`, `scripts/simulate`.
    @Test(arguments: 0..<3 as Range<UInt64>)
    func thePromisesHold(batch: UInt64) {
        for seed in batch * 20 + 1...batch * 20 + 20 {
            let world = PunctualWorld(PunctualSchedule(seed: seed))
            let violation = world.run()
            #expect(violation == nil, "seed \(seed)")
            #expect(violation != nil || world.announced > 20, "seed \(seed)")
        }
    }

    /// It has teeth: each planted mistake breaks a promise, within so many seeds.
    @Test(
        arguments: [
            (.localClock, [.early, .late], 20), (.shortenedTTLMissed, [.late], 20),
            (.goneForgets, [.late, .often], 100), (.forgottenAtMoved, [.late], 100), (.doubtForgotten, [.late], 300),
            (.askingForgotten, [.often], 100), (.pauseOverlooked, [.late], 400),
            (.clockNotChecked, [.late, .often], 200), (.notCaughtUp, [.late], 100), (.everyHintAsks, [.often], 50),
        ] as [(PunctualMistake, Set<PunctualViolation.Promise>, UInt64)])
    func everyPlantedMistakeIsFound(
        mistake: PunctualMistake, breaks: Set<PunctualViolation.Promise>, within seeds: UInt64
    ) {
        var found: PunctualViolation?
        for seed in 1...seeds where found == nil {
            found = PunctualWorld(PunctualSchedule(seed: seed), mistake: mistake).run()
        }
        #expect(found.map { breaks.contains($0.promise) } == true, "\(found.map { "\($0)" } ?? "not found")")
    }

    /// Sweeps that were over before a pause was; 2706: an expiration of a key's earlier life, heard while
    /// a question was refused.
    @Test(arguments: [725, 1380, 1700, 2706] as [UInt64])
    func whatWasLateOnce(seed: UInt64) {
        #expect(PunctualWorld(PunctualSchedule(seed: seed)).run() == nil)
    }

    /// Nothing tells the next owner: too rare among the faults that seeds draw.
    @Test func slotsMoveWhileHintsAreLost() {
        func violations(_ mistake: PunctualMistake?) -> [PunctualViolation] {
            (1...30 as ClosedRange<UInt64>).compactMap { seed in
                var schedule = PunctualSchedule(seed: seed)
                let faults: [(Double, PunctualFault)] = [
                    (5, .hintsCut(shard: 0, noticedAfter: .seconds(1))), (5.8, .move(slot: 0, further: 1, for: nil)),
                ]
                schedule.faults = faults.enumerated().map { number, fault in
                    PlannedPunctualFault(at: .seconds(fault.0), fault: fault.1, number: number)
                }
                return PunctualWorld(schedule, mistake: mistake).run()
            }
        }
        #expect(violations(nil).isEmpty)
        #expect(violations(.arrivalsOverlooked).contains { $0.promise == .late })
    }

    @Test(arguments: [2, 5, 11] as [UInt64])
    func theSameSeedIsTheSameRun(seed: UInt64) {
        let worlds = (0..<2).map { _ in
            let world = PunctualWorld(PunctualSchedule(seed: seed), recording: true)
            _ = world.run()
            return world
        }
        #expect(worlds[0].trace.steps > 500)
        #expect(worlds[0].trace.lines == worlds[1].trace.lines)
        #expect(worlds[0].trace.digest == worlds[1].trace.digest)
    }

    @Test func aShrunkScheduleKeepsOnlyWhatIsNeeded() throws {
        let mistake = PunctualMistake.notCaughtUp
        func breaks(_ schedule: PunctualSchedule) -> Bool {
            PunctualWorld(schedule, mistake: mistake).run()?.promise == .late
        }
        let schedule = try #require(
            (1...200 as ClosedRange<UInt64>).lazy.map { PunctualSchedule(seed: $0) }.first {
                $0.faults.count > 4 && breaks($0)
            })
        let small = schedule.shrunk(while: breaks)
        #expect(small.faults.count < schedule.faults.count)
        #expect(breaks(small))
        // The numbers of the faults that are left give the same schedule again.
        #expect(schedule.only(small.faults.map(\.number)).faults == small.faults)
    }
}
