import ArgumentParser
import Foundation
import Glibc
import ThrowawayRedis

/// How long no replica leads, after the leader was killed and after it was asked to stop.
struct TakeoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "takeover", abstract: "From SIGKILL and from SIGTERM to the start of the next leader's program.",
        discussion: "Three replicas of lapse elect over throwaway servers of each store.")

    @OptionGroup var executable: LapseExecutable
    @Option(help: "Rounds of each kind.") var rounds = 5
    @Option(help: "Lease length, as lapse takes it.") var leaseTTL = "2s"
    @Option(parsing: .upToNextOption, help: "Stores: redis (a cluster of six nodes), etcd, consul, heartbeat, lease.")
    var stores = StoreOnTrial.allCases

    func run() async throws {
        Console.show("| store, lease \(leaseTTL) | leader gets | median, ms | each |\n|---|---|---|---|")
        for store in stores {
            let started = try await store.start()
            for (name, signal) in [("SIGKILL", SIGKILL), ("SIGTERM", SIGTERM)] {
                var times: [Duration] = []
                for round in 0..<rounds {
                    times.append(try await measure(signal, started.options, "takeover-\(signal)-\(round)"))
                }
                let each = times.map { String(format: "%.0f", $0 / .milliseconds(1)) }.joined(separator: " ")
                Console.show("| \(store.rawValue) | \(name) | \(Int(times.median / .milliseconds(1))) | \(each) |")
            }
            await started.shutDown()
        }
    }

    private func measure(_ signal: Int32, _ store: [String], _ name: String) async throws -> Duration {
        var group: [ThrowawayProcess] = []
        for id in ["a", "b", "c"] {
            // The program writes the time it starts at: no polling blurs it.
            group.append(
                try await ThrowawayProcess.start(
                    executable.path,
                    ["elect", "--name", name, "--id", id, "--lease-ttl", leaseTTL] + store
                        + ["--", "sh", "-c", "date +leads:%s%N; exec sleep 1000"]))
            if id == "a" {
                try await waitUntil("one leads", within: .seconds(60)) { Self.start(group) == nil ? "" : nil }
            }
        }
        try await waitUntil("the others follow", within: .seconds(60)) {
            group.dropFirst().allSatisfy { $0.output.contains("following") } ? nil : group.map(\.output).joined()
        }
        let began = Date().timeIntervalSince1970
        kill(group[0].pid, signal)
        let rest = Array(group.dropFirst())
        try await waitUntil("another one leads", within: .seconds(120)) { Self.start(rest) == nil ? "" : nil }
        let start = Self.start(rest) ?? 0
        for process in group { await process.kill() }
        return .milliseconds(Int64((start - began) * 1000))
    }

    /// When a program of the group started, in seconds since 1970.
    private static func start(_ group: [ThrowawayProcess]) -> Double? {
        for process in group {
            for line in process.output.split(separator: "\n") where line.hasPrefix("leads:") {
                if let nanoseconds = Double(line.dropFirst("leads:".count)) { return nanoseconds / 1_000_000_000 }
            }
        }
        return nil
    }
}
