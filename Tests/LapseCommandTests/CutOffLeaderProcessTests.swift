import Foundation
import Testing
import ThrowawayRedis

/// A leader whose lease is on servers of their own, and which reaches the deployment no more.
@Suite(.timeLimit(.minutes(3)), .serialized) struct CutOffLeaderProcessTests {
    private func replica(_ id: String, _ redis: String, locks: String) throws -> LapseBinary.Child {
        try LapseBinary.start([
            "run", "--redis", redis, "--name", "g", "--lease-ttl", "2s", "--handler", "ndjson", "--id", id,
            "--admin", "off", "--lock-servers", locks,
        ])
    }

    private func line(_ text: String, from child: LapseBinary.Child) async throws -> String {
        try await waitUntil("it says: \(text)", within: .seconds(40)) {
            child.text.errors.contains(text) ? nil : child.text.errors
        }
        return try #require(child.text.errors.split(separator: "\n").first { $0.contains(text) }.map(String.init))
    }

    @Test("a replica with other lock servers leads only after the cut-off leader has ended its term")
    func aReplicaWithOtherRulesWaits() async throws {
        let server = try await ThrowawayServer.start()
        let (first, second) = (try await ThrowawayServer.start(), try await ThrowawayServer.start())
        let relay = try Relay(to: server)
        let leader = try replica("one", relay.url, locks: first.url)
        _ = try await line("became leader", from: leader)
        let other = try replica("two", server.url, locks: second.url)
        _ = try await line("not campaigning", from: other)
        relay.shutDown()
        let end = try await line("leadership lost", from: leader)
        let beginning = try await line("became leader", from: other)
        // Both lines begin with the time, of one clock.
        #expect(end < beginning)
        try await server.script((0..<5).map { "SET k:\($0) v PX 20" })
        try await waitUntil("all are handled", within: .seconds(20)) {
            other.lines.count == 5 ? nil : other.text.errors
        }
        #expect(leader.lines.isEmpty)
        for child in [leader, other] { child.signal(SIGTERM) }
        for child in [leader, other] { #expect(try await child.end(within: .seconds(30)).code == 0) }
        for server in [server, first, second] { await server.shutDown() }
    }
}
