import Chaos
import Testing
import ThrowawayRedis

/// What `--punctual track` says of the deadlines that it keeps.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct DeadlineGaugeTests {
    @Test("a replica that leads no more keeps no deadlines, and says so")
    func afterTheTerm() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await ReplicaGroup.start(
            2, binary: Binary.lapse, redis: server.url, name: "kept", leaseTTL: .seconds(2), nodes: 1,
            extra: ["--match", "k:*", "--punctual", "track", "--notifications", "set"])
        let old = try await group.leader()
        try await server.script((0..<200).map { "SET k:\($0) v EX 3600" })
        func waitUntilKept(_ count: Int, by replica: ThrowawayReplica) async throws {
            let line = "\nlapse_deadlines_kept{node=\"\(server.address)\"} \(count)\n"
            try await waitUntil("\(replica.id) keeps \(count)", within: .seconds(30)) {
                try await replica.page("metrics").contains(line) ? nil : "\(replica.log.suffix(1_000))"
            }
        }
        try await waitUntilKept(200, by: old)
        let answer = try await Binary.run(["step-down", "--redis", server.url, "--name", "kept"])
        #expect(answer.code == 0, "\(answer.text)")
        let new = try await group.leader()
        #expect(new.id != old.id)
        try await waitUntilKept(200, by: new)
        try await waitUntilKept(0, by: old)
        await group.shutDown()
        await server.shutDown()
    }
}
