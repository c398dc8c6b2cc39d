import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Row 91 on real processes: hints of keys that never were, to a replica that keeps deadlines. The
/// server expires nothing by itself.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ForgedHintsTests {
    private static let megabyte = String(repeating: "q", count: 1 << 20)

    /// How often the server was asked for a deadline, or nudged.
    private func questions(_ server: ThrowawayServer) async throws -> Int {
        let lines = try await server.cli("INFO", "commandstats").split(whereSeparator: \.isNewline)
        return lines.reduce(0) { sum, line in
            guard line.hasPrefix("cmdstat_pexpiretime:calls=") || line.hasPrefix("cmdstat_pttl:calls=") else {
                return sum
            }
            return sum + (line.split(separator: ",")[0].split(separator: "=").last.flatMap { Int($0) } ?? 0)
        }
    }

    private func memory(_ replica: ThrowawayReplica) async throws -> Int {
        let line = try await replica.page("metrics").split(separator: "\n").first {
            $0.hasPrefix("process_resident_memory_bytes ")
        }
        return try #require(line?.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) })
    }

    @Test("row 91: 300 forged hints of a megabyte and 100 000 of keys that never were")
    func forged() async throws {
        var options = ServerOptions()
        options.notifications = "Exg"
        options.extra = ["enable-debug-command yes"]
        let server = try await ThrowawayServer.start(options)
        try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        // Longer than a loaded machine starves a process: the leader is to stay the same.
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: server.url, name: "forged", leaseTTL: .seconds(10), nodes: 1,
            extra: ["--match", "k:*", "--punctual", "track"])
        let leader = try await group.leader()
        let before = try await memory(leader)
        var most = before
        let hints = "__keyevent@0__:expire"
        try await server.script((0..<200).map { "SET k:\($0) v PX \(3_000 + $0 * 40)" })
        for _ in 0..<6 {
            try await server.script((0..<50).map { _ in "PUBLISH \(hints) k:\(Self.megabyte)" })
            most = max(most, try await memory(leader))
        }
        for round in 0..<10 {
            try await server.script((0..<10_000).map { "PUBLISH \(hints) k:forged:\(round * 10_000 + $0)" })
            most = max(most, try await memory(leader))
        }
        try await server.script((200..<300).map { "SET k:\($0) v PX 500" })
        let keys = Set((0..<300).map { "k:\($0)" })
        try await waitUntil("all that was set is handled", within: .seconds(60)) {
            let missing = keys.subtracting(group.handledKeys)
            return missing.isEmpty ? nil : "\(missing.count) are missing\n\(leader.log.suffix(2_000))"
        }
        // A key that is gone is asked about until its node has been confirmed to be the master, twice.
        try await waitUntil("the keys that never were are forgotten", within: .seconds(60)) {
            let line = "\nlapse_deadlines_kept{node=\"\(server.address)\"} 0\n"
            most = max(most, try await memory(leader))
            return try await leader.page("metrics").contains(line) ? nil : "\(leader.log.suffix(1_000))"
        }
        #expect(group.handledKeys == keys, "nothing is handled without an announcement")
        #expect(group.handled.count == keys.count)
        #expect(group.reported.lost == 0 && leader.count(of: "gap") == 0, "the feed and its numbering")
        #expect(leader.count(of: "became leader") == 1 && leader.count(of: "leadership lost") == 0)
        let asked = try await questions(server)
        #expect(asked <= 6 * 100_000, "\(asked) questions")
        #expect(most - before < 256 << 20, "the leader grew by \((most - before) >> 20) MiB")
        await group.shutDown()
        await server.shutDown()
    }
}
