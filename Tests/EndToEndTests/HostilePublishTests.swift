import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// Row 50: whatever anyone with a right to PUBLISH sends, to three replicas with a backlog.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct HostilePublishTests {
    private let channel = "lapse:peers"
    private let events = "__keyevent@0__:expired"

    /// The same as many replicas, with a log of so many kilobytes that no handler has seen.
    private func group(
        _ server: ThrowawayServer, backlog kilobytes: Int, extra: [String] = []
    ) async throws -> PeerGroup {
        // Longer than a loaded machine starves a process: the leader is to stay the same.
        let group = try await PeerGroup.start(
            on: [server], leaseTTL: "10s", extra: ["--match", "k:*"] + extra, hasReaders: true)
        _ = try await group.leader()
        for replica in group.replicas { replica.readOutput(bytesPerSecond: 2 << 10) }
        try await server.expire(kilobytes, "k:", padding: 1_000)
        return group
    }

    private func memory(_ server: ThrowawayServer) async throws -> Int {
        try await server.info("used_memory").flatMap { Int($0) } ?? 0
    }

    /// Everything handled after the attack, by the same leader in the same term.
    private func goesOn(_ group: PeerGroup, _ server: ThrowawayServer, backlog: Int) async throws {
        for replica in group.replicas { replica.readOutput(bytesPerSecond: nil) }
        try await server.expire(100, "k:after:")
        try await group.waitUntilHandled(backlog + 100, "k:", within: .seconds(60))
        let gone = group.replicas.filter { !$0.isRunning }
        #expect(gone.isEmpty, "\(gone.map { $0.log.suffix(2_000) })")
        #expect(group.count(of: "became leader") == 1 && group.count(of: "leadership lost") == 0)
    }

    @Test("questions that nobody asked: 300 a second, of any width, by any name")
    func questions() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await group(server, backlog: 20_000)
        let runID = try #require(try await server.info("run_id"))
        let before = try await memory(server)
        var most = before
        let texts = [
            "repair:x:y:1-18446744073709551615:z", "repair:x:\(runID):1-18446744073709551615:z",
            "repair:x:\(runID):1-9007199254740991:z", "repair::::", "repair:x:\(runID):0-5:z", "mark:a:1",
            "repair:x:\(runID):1-40000:\(String(repeating: "z", count: 1 << 20))",
            String(repeating: "q", count: 1 << 20),
        ]
        try await server.script(texts.map { "PUBLISH \(channel) \($0)" })
        // With the id of a replica that lives: by the build before accounts, and by this one.
        for round in 0..<4 {
            try await server.script(
                (0..<300).map { number in
                    let nonce = number % 2 == 0 ? "f\(round)x\(number)" : "f\(round).\(number)"
                    return
                        "PUBLISH \(channel) repair:\(nonce):\(runID):1-\(20_000 + number):\(["a", "b", "c"][number % 3])"
                })
            most = max(most, try await memory(server))
        }
        let limit = ContinuousClock.now + .seconds(3)
        while ContinuousClock.now < limit { most = max(most, try await memory(server)) }
        #expect(most - before < 64 << 20, "Redis grew by \((most - before) >> 20) MiB")
        try await goesOn(group, server, backlog: 20_000)
        await group.shutDown()
        await server.shutDown()
    }

    @Test("75 forged events of a megabyte push no expiration out of a log")
    func forgedEvents() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await group(server, backlog: 5_000)
        let forged = String(repeating: "q", count: 1 << 20)
        for _ in 0..<75 { try await server.script(["PUBLISH \(events) \(forged)"]) }
        try await goesOn(group, server, backlog: 5_000)
        await group.shutDown()
        await server.shutDown()
    }

    @Test("forged events cost no more than a mark of each replica each five seconds")
    func marks() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await PeerGroup.start(on: [server])
        _ = try await group.leader()
        func published() async throws -> Int {
            let lines = try await server.cli("INFO", "commandstats").split(whereSeparator: \.isNewline)
            let calls = lines.first { $0.hasPrefix("cmdstat_publish:calls=") }?.split(separator: ",").first
            return calls?.split(separator: "=").last.flatMap { Int($0) } ?? 0
        }
        let before = try await published()
        let began = ContinuousClock.now
        var forged = 0
        while ContinuousClock.now - began < .seconds(8) {
            try await server.cli("PUBLISH", events, "forged:\(forged)")
            forged += 1
        }
        let seconds = Double((ContinuousClock.now - began).components.seconds)
        let marks = try await published() - before - forged
        #expect(marks <= 3 * (Int(seconds / 5) + 2), "\(marks) for \(forged) forged events in \(seconds) s")
        try await server.expire(100, "k:after:")
        try await group.waitUntilHandled(100, "k:after:")
        await group.shutDown()
        await server.shutDown()
    }
}
