import ArgumentParser
import Simulation

/// What `--punctual` does: seeds until one fails, or until each planted mistake was found.
struct PunctualRuns {
    let search: Search
    let mistake: PunctualMistake?
    /// Only the faults of these numbers.
    let only: [Int]?
    let keepsGoing: Bool
    let plantsAll: Bool
    let traces: Bool

    func run() throws {
        if traces { return printTrace() }
        if plantsAll { return try plantAll() }
        let found = try search.printing(goesOn: keepsGoing) {
            PunctualWorld(schedule($0), mistake: mistake).run()
        }
        guard let (seed, violation) = found else { return show("every promise held") }
        report(seed, violation)
        throw ExitCode(1)
    }

    private func schedule(_ seed: UInt64) -> PunctualSchedule {
        let schedule = PunctualSchedule(seed: seed)
        return only.map { schedule.only($0) } ?? schedule
    }

    private func shrink(
        _ schedule: PunctualSchedule, _ mistake: PunctualMistake?, _ promise: PunctualViolation.Promise
    ) -> PunctualSchedule {
        schedule.shrunk { PunctualWorld($0, mistake: mistake).run()?.promise == promise }
    }

    private func report(_ seed: UInt64, _ violation: PunctualViolation) {
        show("seed \(seed): \(violation)")
        let small = shrink(schedule(seed), mistake, violation.promise)
        let left = PunctualWorld(small, mistake: mistake).run() ?? violation
        show("shrunk: \(left)")
        show(
            "\(small.shards) shards, \(small.keys) keys, deadlines \(small.deadlines.rawValue), "
                + "\(small.faults.count) faults")
        for fault in small.faults { show("  \(fault)") }
        let numbers = small.faults.isEmpty ? "none" : small.faults.map { "\($0.number)" }.joined(separator: ",")
        let planted = mistake.map { " --mistake \($0.rawValue)" } ?? ""
        show("again: lapse-simulate --punctual --seed \(seed) --seeds 1\(planted) --only \(numbers)")
    }

    private func plantAll() throws {
        show("| planted mistake | seeds until found | promise | faults left after shrinking |")
        show("|---|---|---|---|")
        var isMissed = false
        for mistake in PunctualMistake.allCases {
            let found = search.run { PunctualWorld(schedule($0), mistake: mistake).run() }
            guard let (seed, violation) = found.failure else {
                isMissed = true
                show("| \(mistake.rawValue) | not within \(found.tried) | – | – |")
                continue
            }
            let small = shrink(schedule(seed), mistake, violation.promise)
            show(
                "| \(mistake.rawValue) | \(found.tried) | \(violation.promise.rawValue) | \(small.faults.count) |")
        }
        if isMissed { throw ExitCode(1) }
    }

    private func printTrace() {
        let schedule = schedule(search.from)
        let world = PunctualWorld(schedule, mistake: mistake, recording: true)
        let violation = world.run()
        for fault in schedule.faults { show("\(fault)") }
        for line in world.trace.lines { show(line) }
        show(violation.map { "\($0)" } ?? "every promise held")
    }
}
