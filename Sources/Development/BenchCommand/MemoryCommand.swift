import ArgumentParser
import Foundation
import LeaderElection
import LeaderElectionRedis
import ThrowawayRedis

/// What a log costs that is never emptied: a follower whose leader publishes no progress keeps
/// everything.
struct MemoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory", abstract: "Resident memory of a follower as its log fills.",
        discussion: "The admin port is on: it says how many entries are kept, so that none is taken for granted.")

    @OptionGroup var executable: LapseExecutable
    @Option(help: "Entries of each of two bursts.") var entries = 1_000_000
    @Option(help: "Length of a key.") var keyBytes = 20

    func run() async throws {
        let server = try await ThrowawayServer.start(ExpirationBurst.server)
        do {
            try await measure(server)
            await server.shutDown()
        } catch {
            await server.shutDown()
            throw error
        }
    }

    private func measure(_ server: ThrowawayServer) async throws {
        try await server.cli("SET", ElectionKeys.registers(1, name: "default")[0].lock, "another replica")
        // The place of a cluster bus, which a server alone leaves free.
        let admin = server.port + 10_000
        let process = try await ThrowawayProcess.start(
            executable.path,
            [
                "run", "--redis", server.url, "--handler", "none", "--admin", "\(server.host):\(admin)",
                "--log-bytes", "1GiB", "--log-age", "1h",
            ])
        try await waitUntil("it listens", within: .seconds(20)) {
            process.output.contains(" subscribed ") ? nil : process.output
        }
        try await Task.sleep(for: .seconds(2))
        Console.show("keys of \(keyBytes) bytes\n")
        Console.show("| entries kept | RSS, MiB | bytes an entry, since the row above |\n|---|---|---|")
        var before = (entries: 0, memory: process.memory)
        Console.show(String(format: "| 0 | %.1f | |", Double(before.memory) / 1_048_576))
        let burst = ExpirationBurst(server: server, keyBytes: keyBytes)
        for _ in 0..<2 {
            try await burst.load(entries)
            try await burst.release(entries)
            let announced = try await burst.announced()
            try await waitUntil("everything is in the log", within: .seconds(30)) {
                let kept = try Self.kept(server.host, admin)
                return kept == announced ? nil : "\(kept) of \(announced)"
            }
            try await Task.sleep(for: .seconds(1))
            let now = (entries: announced, memory: process.memory)
            Console.show(
                String(
                    format: "| %d | %.1f | %.1f |", now.entries, Double(now.memory) / 1_048_576,
                    Double(now.memory - before.memory) / Double(now.entries - before.entries)))
            before = now
        }
        await process.kill()
    }

    /// Entries in the log, as the metrics say.
    private static func kept(_ host: String, _ port: Int) throws -> Int {
        let socket = try PlainSocket(host: host, port: port)
        socket.write(Array("GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".utf8))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = socket.read(into: &buffer), count > 0 { answer += buffer[..<count] }
        let line = String(decoding: answer, as: UTF8.self).split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("lapse_log_entries{") }
        return line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? 0
    }
}
