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

    @Option(help: "A folder for the replicas' logs.")
    var logs: String?

    @Option(help: "Further options for the replicas, one string.")
    var replicaOptions: String?

    func run() async throws {
        let chosen = try scenario.map { name in
            guard let scenario = Scenario(rawValue: name) else { throw ValidationError("no scenario '\(name)'") }
            return scenario
        }
        let here = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let binary = binary ?? here.appending(path: "lapse").path
        Self.show(Ledger.header)
        var failures = 0
        for ttl in leaseTTL.isEmpty ? [8, 2] : leaseTTL {
            for scenario in chosen.isEmpty ? Scenario.allCases.filter({ $0 != .none }) : chosen {
                var run = ScenarioRun(
                    scenario, leaseTTL: .seconds(ttl), rate: rate, nodeTimeout: .seconds(nodeTimeout), binary: binary)
                run.logs = logs.map { URL(filePath: $0) }
                run.replicaOptions = replicaOptions?.split(separator: " ").map(String.init) ?? []
                let ledger = try await run.run()
                Self.show(ledger.row)
                if ledger.lost > 0 || ledger.overlaps > 0 { failures += 1 }
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }

    /// At once, also into a file: a row is minutes of work.
    private static func show(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
