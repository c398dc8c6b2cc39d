import ArgumentParser
import Foundation
import ThrowawayRedis

/// How late an expiration is handled after its deadline, with and without `--punctual`.
struct OnTimeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ontime", abstract: "From the deadline of a key to the line that its handler printed.",
        discussion: """
            Each key's name is its deadline. lapse run --handler ndjson prints into a pipe, and the reader of the pipe compares \
            the clock with the name: server, network, Lapse and pipe together. Server, Lapse, the writers and the reader \
            share the machine. What has not come when --patience is over is counted as not announced.
            """)

    @OptionGroup var executable: LapseExecutable
    @Option(parsing: .upToNextOption, help: "off, sweep, track.") var modes = ["off", "sweep", "track"]
    @Option(parsing: .upToNextOption, help: "Other keys with a TTL.") var others = [0, 10_000, 100_000, 1_000_000]
    @Option(help: "Timers.") var timers = 10_000
    @Option(help: "Seconds over which they are due.") var seconds = 30
    @Option(help: "Seconds to wait for them after the last is due.") var patience = 60
    @Option(help: "Unwanted keys set each second beside.") var writes = 0
    @Option(help: "Rounds of each.") var rounds = 1
    @Option(parsing: .upToNextOption, help: "spread, shortened, equal, renewed.") var kinds = Kind.allCases
    @Flag(help: "Three masters instead of one server.") var cluster = false

    enum Kind: String, CaseIterable, ExpressibleByArgument {
        /// Timers due at random.
        case spread
        /// The same number of keys with an hour to live, each shortened to two seconds at random.
        case shortened
        /// All due in one millisecond.
        case equal
        /// No timer falls due: keys that are renewed.
        case renewed
    }

    func run() async throws {
        Console.show(
            """
            | kind | mode | others | handled | early | p50, ms | p99 | p99.9 | max | server CPU, s | Lapse CPU, s | wall, s |
            |---|---|---|---|---|---|---|---|---|---|---|---|
            """)
        for kind in kinds {
            for others in others {
                for mode in modes {
                    for _ in 0..<rounds { try await measure(kind, mode, others) }
                }
            }
        }
    }

    private func measure(_ kind: Kind, _ mode: String, _ others: Int) async throws {
        var options = ServerOptions()
        options.notifications = mode == "track" ? "Exg" : "Ex"
        if cluster {
            var whole = ClusterOptions()
            whole.replicasPerMaster = 0
            whole.server = options
            let cluster = try await ThrowawayCluster.start(whole)
            try await measure(kind, mode, others, Timers(cluster), cluster.urls)
            await cluster.shutDown()
        } else {
            let server = try await ThrowawayServer.start(options)
            try await measure(kind, mode, others, Timers(server), server.url)
            await server.shutDown()
        }
    }

    private func measure(_ kind: Kind, _ mode: String, _ others: Int, _ load: Timers, _ urls: String) async throws {
        try load.send((0..<others).map { "o:\($0)" }) { ["SET", $0, "1", "EX", "\(7_200 + $0.utf8.count)"] }
        let reader = try LagReader()
        let process = try await ThrowawayProcess.start(
            "/bin/sh",
            [
                "-c", "exec \"$0\" \"$@\" > '\(reader.path)'", executable.path, "run", "--redis", urls, "--handler",
                "ndjson", "--match", "t:*", "--admin", "off", "--lease-ttl", "2s", "--punctual", mode,
                "--topology", cluster ? "cluster" : "standalone",
            ])
        try await waitUntil("it leads", within: .seconds(30)) {
            guard process.isRunning else { throw ThrowawayRedisError(process.output) }
            return process.output.contains("became leader") ? nil : process.output
        }
        // The first sweep is over among a million keys.
        try await Task.sleep(for: .seconds(mode == "off" ? 1 : 6))
        let writer = writes > 0 ? try BackgroundWrites(load.servers[0], each: writes) : nil
        let began = ContinuousClock.now
        let before = cost(load, process)
        let last = try await arm(kind, load)
        let expected = kind == .renewed ? 0 : timers
        let end = Date(timeIntervalSince1970: Double(last) / 1000 + Double(patience))
        while reader.count < expected, Date() < end { try await Task.sleep(for: .milliseconds(50)) }
        if expected == 0 { try await Task.sleep(for: .seconds(2)) }
        let after = cost(load, process)
        writer?.stop()
        let lags = reader.lags
        let figures = [0.5, 0.99, 0.999, 1].map { Self.quantile($0, lags) }.joined(separator: " | ")
        let early = lags.count { $0 < 0 }
        let wall = (ContinuousClock.now - began) / .seconds(1)
        Console.show(
            "| \(kind.rawValue)\(writes > 0 ? " + \(writes) writes/s" : "") | \(mode) | \(others) | "
                + "\(lags.count) of \(expected)\(reader.twice > 0 ? ", \(reader.twice) twice" : "") | \(early) | \(figures) | "
                + String(
                    format: "%.2f | %.2f | %.0f |", (after.servers - before.servers) / .seconds(1),
                    (after.lapse - before.lapse) / .seconds(1), wall))
        let warnings = process.output.split(separator: "\n").filter { $0.contains("warning") || $0.contains("error") }
        for line in warnings.prefix(5) { Console.show("<!-- \(line) -->") }
        await process.kill()
    }

    /// Returns when the last is due, in milliseconds since 1970.
    private func arm(_ kind: Kind, _ load: Timers) async throws -> Int64 {
        let start = Timers.now
        // Arming a million takes a while.
        let lead = 2_000 + Int64(timers) / 60
        switch kind {
        case .spread:
            let deadlines = (0..<timers).map { ($0, start + lead + Int64.random(in: 0..<Int64(seconds) * 1_000)) }
            try load.send(deadlines.map { Timers.key($1, $0) }) { ["SET", $0, "1", "PXAT", Self.deadline(of: $0)] }
            return deadlines.map(\.1).max() ?? start
        case .equal:
            let deadline = start + lead
            try load.send((0..<timers).map { Timers.key(deadline, $0) }) { ["SET", $0, "1", "PXAT", "\(deadline)"] }
            return deadline
        case .shortened:
            let deadlines = (0..<timers).map {
                ($0, start + lead + 2_000 + Int64.random(in: 0..<Int64(seconds) * 1_000))
            }
            .sorted { $0.1 < $1.1 }
            let keys = deadlines.map { Timers.key($1, $0) }
            try load.send(keys) { ["SET", $0, "1", "EX", "3600"] }
            var sent = 0
            while sent < keys.count {
                let now = Timers.now
                var end = sent
                while end < keys.count, deadlines[end].1 - 2_000 <= now { end += 1 }
                try load.send(Array(keys[sent..<end])) { ["PEXPIREAT", $0, Self.deadline(of: $0)] }
                sent = end
                try await Task.sleep(for: .milliseconds(5))
            }
            return deadlines.last?.1 ?? start
        case .renewed:
            let keys = (0..<min(timers, 10_000)).map { Timers.key(start + 3_600_000, $0) }
            try load.send(keys) { ["SET", $0, "1", "EX", "3600"] }
            for _ in 0..<max(timers / max(keys.count, 1), 1) { try load.send(keys) { ["EXPIRE", $0, "3600"] } }
            return Timers.now
        }
    }

    private static func deadline(of key: String) -> String { String(key.dropFirst(2).prefix(13)) }

    private func cost(_ load: Timers, _ process: ThrowawayProcess) -> (servers: Duration, lapse: Duration) {
        let servers = load.servers.compactMap(\.pid).map { ThrowawayProcess.processorTime(of: $0) }
        return (servers.reduce(.zero, +), process.processorTime)
    }

    /// In milliseconds.
    private static func quantile(_ part: Double, _ sorted: [Int64]) -> String {
        guard let last = sorted.last else { return "–" }
        let index = Int(part * Double(sorted.count))
        return String(format: "%.1f", Double(index < sorted.count ? sorted[index] : last) / 1_000_000)
    }
}
