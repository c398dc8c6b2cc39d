import ArgumentParser
import Foundation
import Simulation

/// Faults drawn from seeds, in simulated time, against the decisions of the product.
@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lapse-simulate",
        abstract:
            "Runs the decisions of a group through seeded faults in simulated time, and checks the invariants at every step.",
        discussion: "Exits with 1 when an invariant was broken, or a planted defect was not found.")

    @Option(help: "How many seeds to run.")
    var seeds: UInt64 = 2_000

    @Option(name: [.customLong("from"), .customLong("seed")], help: "The first seed.")
    var from: UInt64 = 1

    @Option(help: "Stop after this number of minutes, also with seeds left.")
    var minutes: Double?

    @Option(help: "Plant a mistake: \(Defect.allCases.map(\.rawValue).joined(separator: ", ")).")
    var defect: Defect?

    @Option(
        parsing: .singleValue,
        help:
            "Only this situation in every seed: \(Situation.allCases.map(\.rawValue).joined(separator: ", ")), or none."
    )
    var situation: [String] = []

    @Option(
        parsing: .singleValue,
        help: "Do without an allowance of the checks: \(Allowance.allCases.map(\.rawValue).joined(separator: ", ")).")
    var without: [String] = []

    @Flag(help: "Each situation in turn, and the number of seeds until an invariant was broken.")
    var allSituations = false

    @Flag(help: "Plant each mistake in turn, and print the number of seeds until it was found.")
    var allDefects = false

    @Option(
        help:
            "Only the faults of these numbers, as a shrunk schedule names them: 2,5,7, any for those that the seed draws, or none."
    )
    var only: String?

    @Option(help: "This number of timers instead of the seed's.")
    var traffic: Int?

    @Flag(help: "Punctuality instead: servers that share slots, and the leader that nudges them.")
    var punctual = false

    @Option(
        help:
            "With --punctual, plant a mistake: \(PunctualMistake.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var mistake: PunctualMistake?

    @Flag(help: "Do not stop at the first failing seed: one line for each.")
    var keepGoing = false

    @Flag(help: "Print every step of the first seed.")
    var trace = false

    func validate() throws {
        if mistake != nil, !punctual { throw ValidationError("--mistake is for --punctual; see --defect") }
        guard punctual else { return }
        if defect != nil { throw ValidationError("--defect is not for --punctual; see --mistake") }
        if allSituations || !situation.isEmpty || !without.isEmpty || traffic != nil {
            throw ValidationError("--punctual has no situations, allowances and traffic")
        }
    }

    func run() throws {
        if punctual { return try punctualRuns.run() }
        if trace { return try printTrace() }
        if allDefects {
            show("| planted defect | seeds until found | invariant | faults left after shrinking |")
            show("|---|---|---|---|")
            var isMissed = false
            for defect in Defect.allCases where try !find(defect) { isMissed = true }
            if isMissed { throw ExitCode(1) }
            return
        }
        if allSituations {
            show("| situation | seeds until an invariant broke | invariant | faults left after shrinking |")
            show("|---|---|---|---|")
            for situation in Situation.allCases {
                var one = self
                one.situation = [situation.rawValue]
                _ = try one.find(nil)
            }
            return
        }
        let search = Search(from: from, count: seeds, minutes: minutes)
        let found = try search.printing(goesOn: keepGoing) {
            try SimulatedWorld(schedule($0), defect: defect, allowing: allowances).run()
        }
        guard let (seed, violation) = found else { return show("every invariant held") }
        try report(seed, violation)
        throw ExitCode(1)
    }

    private var punctualRuns: PunctualRuns {
        PunctualRuns(
            search: Search(from: from, count: seeds, minutes: minutes), mistake: mistake,
            only: only.map { $0.split(separator: ",").compactMap { Int($0) } }, keepsGoing: keepGoing,
            plantsAll: allDefects, traces: trace)
    }

    private var allowances: Set<Allowance> {
        Set(Allowance.allCases).subtracting(without.compactMap(Allowance.init(rawValue:)))
    }

    private func schedule(_ seed: UInt64, _ planted: Defect? = nil) -> Schedule {
        let wanted = situation.compactMap(Situation.init(rawValue:))
        var schedule =
            situation.isEmpty && (planted ?? defect) != nil
            ? (planted ?? defect)?.schedule(seed) ?? Schedule(seed: seed)
            : situation == ["any"]
                ? Schedule(seed: seed, drawingFrom: Situation.allCases)
                : Schedule(seed: seed, situations: situation.isEmpty ? nil : wanted)
        if let only { schedule = schedule.only(only.split(separator: ",").compactMap { Int($0) }) }
        if let traffic { schedule.traffic = traffic }
        return schedule
    }

    private func find(_ defect: Defect?) throws -> Bool {
        let title = defect?.rawValue ?? situation.joined(separator: " + ")
        let search = Search(from: from, count: seeds, minutes: minutes)
        let found = try search.run { seed in
            try SimulatedWorld(schedule(seed, defect), defect: defect, allowing: allowances).run()
        }
        guard let (seed, violation) = found.failure else {
            show("| \(title) | not within \(found.tried) | – | – |")
            return false
        }
        var shrinker = Shrinker(violation.invariant, defect: defect, allowing: allowances)
        let small = try shrinker.shrink(schedule(seed, defect))
        show("| \(title) | \(found.tried) | \(violation.invariant.rawValue) | \(small.faults.count) |")
        return true
    }

    private func report(_ seed: UInt64, _ violation: Violation) throws {
        show("seed \(seed): \(violation)")
        var shrinker = Shrinker(violation.invariant, defect: defect, allowing: allowances)
        let small = try shrinker.shrink(schedule(seed))
        let left = try SimulatedWorld(small, defect: defect, allowing: allowances).run() ?? violation
        show("shrunk in \(shrinker.tries) runs: \(left)")
        show(
            "\(small.registers) registers, \(small.replicas) replicas, \(small.deployment.rawValue), "
                + "\(small.traffic) timers, \(small.faults.count) faults")
        for fault in small.faults { show("  \(fault)") }
        let numbers = small.faults.isEmpty ? "none" : small.faults.map { "\($0.number)" }.joined(separator: ",")
        let planted =
            (defect.map { " --defect \($0.rawValue)" } ?? "") + situation.map { " --situation \($0)" }.joined()
            + without.map { " --without \($0)" }.joined()
        show("again: lapse-simulate --from \(seed) --seeds 1\(planted) --only \(numbers) --traffic \(small.traffic)")
    }

    private func printTrace() throws {
        let world = try SimulatedWorld(schedule(from), defect: defect, allowing: allowances, recording: true)
        let violation = world.run()
        for fault in schedule(from).faults { show("\(fault)") }
        for line in world.trace.lines { show(line) }
        show(violation.map { "\($0)" } ?? "every invariant held")
    }
}

/// At once, also into a file.
func show(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

extension Defect: ExpressibleByArgument {}
extension PunctualMistake: ExpressibleByArgument {}
