import ArgumentParser
import Chaos
import Foundation
import ThrowawayRedis

/// The fault table: scenario, emitted, handled, lost, twice, seconds without a handler.
@main
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lapse-chaos", abstract: "Runs real faults against real clusters and prints the account.")

    @Option(help: "Scenarios, or all: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: [String] = []

    @Option(help: "Lease lengths in seconds.")
    var leaseTTL: [Double] = []

    @Option(help: "Expirations per second.")
    var rate: Double = 200

    @Option(help: "cluster-node-timeout in seconds.")
    var nodeTimeout: Double = 5

    @Option(help: "The lapse executable; by default the one built beside this.")
    var binary: String?

    @Option(help: "Another build of it, for the scenario upgrade.")
    var otherBinary: String?

    @Option(help: "A folder for the replicas' logs.")
    var logs: String?

    @Option(help: "Further options for the replicas, one string.")
    var replicaOptions: String?

    @Flag(help: "Replicas below a parent (lapse run --supervise on); their faults are done to the worker.")
    var supervise = false

    @Option(help: "Random faults instead of scenarios, in an order drawn from this number; 0 draws one.")
    var seed: UInt64?

    @Option(help: "How long random faults go on, in minutes.")
    var minutes: Double = 3

    func run() async throws {
        let chosen = try scenario.map { name in
            guard let scenario = Scenario(rawValue: name) else { throw ValidationError("no scenario '\(name)'") }
            return scenario
        }
        var failures = 0
        Self.show(Ledger.header)
        for ttl in leaseTTL.isEmpty ? [8, 2] : leaseTTL {
            if let seed {
                if try await !random(seed == 0 ? .random(in: 1...UInt64(Int.max)) : seed, ttl) { failures += 1 }
                continue
            }
            for scenario in chosen.isEmpty ? Scenario.allCases.filter(isInTable) : chosen {
                if await !row(scenario, ttl) { failures += 1 }
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }

    private func isInTable(_ scenario: Scenario) -> Bool {
        scenario != .none && (scenario != .upgrade || otherBinary != nil)
    }

    /// Runs a scenario and shows its row; false when it failed.
    private func row(_ scenario: Scenario, _ ttl: Double) async -> Bool {
        var run = ScenarioRun(
            scenario, leaseTTL: .seconds(ttl), rate: rate, nodeTimeout: .seconds(nodeTimeout), binary: executable)
        run.logs = logs.map { URL(filePath: $0) }
        run.replicaOptions = options
        run.isSupervised = supervise
        run.otherBinary = otherBinary
        do {
            let ledger = try await run.run()
            Self.show(ledger.row)
            return ledger.failures.isEmpty
        } catch {
            Self.show("\(scenario.rawValue): FAILED (\(error))")
            return false
        }
    }

    private func random(_ seed: UInt64, _ ttl: Double) async throws -> Bool {
        var run = RandomRun(
            seed: seed, minutes: minutes, leaseTTL: .seconds(ttl), rate: rate, nodeTimeout: .seconds(nodeTimeout),
            binary: executable, tell: { Self.show($0) })
        run.logs = logs.map { URL(filePath: $0) }
        run.replicaOptions = options
        run.isSupervised = supervise
        let again =
            "scripts/chaos --seed \(seed) --minutes \(minutes) --lease-ttl \(ttl) --rate \(rate) --node-timeout \(nodeTimeout)\(supervise ? " --supervise" : "")"
        Self.show("seed \(seed)")
        do {
            let ledger = try await run.run()
            Self.show(ledger.row)
            if ledger.failures.isEmpty { return true }
        } catch {
            Self.show("seed \(seed): FAILED (\(error))")
        }
        Self.show("repeat it with: \(again)")
        return false
    }

    private var executable: String {
        let here = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        return binary ?? here.appending(path: "lapse").path
    }

    private var options: [String] { replicaOptions?.split(separator: " ").map(String.init) ?? [] }

    /// At once, also into a file: a row is minutes of work.
    private static func show(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
