import Foundation
import LeaderElection
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// What `lapse status` says when it can read little or nothing.
@Suite(.timeLimit(.minutes(2)), .serialized) struct StatusTests {
    private struct Report: Decodable {
        var state: String
        var leader: String?
        var term: UInt64
        var token: UInt64
        var unreadRegisters: Int
    }

    private func report(_ run: LapseBinary.Run) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    }

    /// Of the terms that a replica has told of.
    private func tokens(_ child: LapseBinary.Child) -> [UInt64] {
        child.text.errors.split(separator: "\n").filter { $0.contains("became leader") }
            .compactMap { $0.firstMatch(of: /token=(\d+)/).flatMap { UInt64($0.1) } }
    }

    @Test func aUserWhoMayNotReadIsTold() async throws {
        var options = ServerOptions()
        options.users = ["user blind on >secret resetkeys ~other:* &* +@all"]
        let server = try await ThrowawayServer.start(options)
        let run = try await LapseBinary.run(["status", "--redis", "redis://blind:secret@\(server.address)"])
        #expect(run.code == 77, "\(run)")
        #expect(run.output.contains("leader    unknown: 1 of 1 registers cannot be read"), "\(run.output)")
        #expect(run.output.contains("replicas unknown"), "\(run.output)")
        #expect(run.lastLine.hasPrefix("lapse: who leads is unknown: ") && run.lastLine.contains("NOPERM"))
        await server.shutDown()
    }

    @Test func aClusterThatIsDownIsNoElectionWithoutALeader() async throws {
        let cluster = try await ThrowawayCluster.start()
        let masters = try await cluster.masters()
        let survivor = try #require(masters.first)
        for master in masters.dropFirst() { await master.kill() }
        try await waitUntil("the cluster is down", within: .seconds(30)) {
            let state = try await survivor.cli("CLUSTER", "INFO")
            return state.contains("cluster_state:fail") ? nil : state
        }
        let run = try await LapseBinary.run(["status", "--redis", survivor.url, "--json"])
        #expect(run.code == 69, "\(run)")
        #expect(try report(run).state == "unknown")
        await cluster.shutDown()
    }

    /// A candidate that failed has counted on: that is no token of the leader.
    @Test func theTokenIsTheLeaders() async throws {
        let cluster = try await ThrowawayCluster.start()
        let child = try LapseBinary.start(
            ["run", "--redis", cluster.nodes[0].url, "--lease-ttl", "1s", "--id", "one", "--admin", "off"])
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        let token = try #require(tokens(child).last)
        // One register as a candidate leaves it that came second.
        let keys = ElectionKeys.registers(3, name: "default")[0]
        let rival = "rival:0123456789abcdef0123456789abcdef"
        _ = try await cluster.nodes[0].cli("-c", "SET", keys.lock, rival, "PX", "60000")
        _ = try await cluster.nodes[0].cli("-c", "SET", keys.token, "\(token + 1000)")
        let run = try await LapseBinary.run(["status", "--redis", cluster.nodes[0].url, "--json"])
        let report = try report(run)
        #expect(report.leader == "one" && report.state == "led", "\(run.output)")
        // On a busy machine it may have had to win again.
        #expect(tokens(child).contains(report.token), "\(tokens(child)): \(run.output)")
        #expect(run.code == 0)
        child.signal(15)
        _ = try await child.end()
        await cluster.shutDown()
    }
}
