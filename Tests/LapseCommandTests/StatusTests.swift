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
        #expect(run.lastLine.hasPrefix("lapse: the leader is unknown: ") && run.lastLine.contains("NOPERM"))
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

    @Test func itWaitsForALeaderAndWatchesIt() async throws {
        let server = try await ThrowawayServer.start()
        let group = ["--redis", server.url, "--name", "watched"]
        let none = try await LapseBinary.run(["status", "--wait", "leader", "--timeout", "300ms"] + group)
        #expect(none.code == 1, "\(none)")
        #expect(try await LapseBinary.run(["groups", "--redis", server.url]).code == 1)
        let waiting = try LapseBinary.start(["status", "--wait", "leader", "--timeout", "30s"] + group)
        let replica = try LapseBinary.start(
            ["run", "--lease-ttl", "1s", "--id", "one", "--admin", "off"] + group)
        let led = try await waiting.end(within: .seconds(30))
        #expect(led.code == 0 && led.output.contains("leader    one"), "\(led)")
        let top = try LapseBinary.start(["top", "--json"] + group)
        try await waitUntil("it has looked twice, and the replica has said what it is", within: .seconds(20)) {
            top.lines.count > 1 && top.lines.last?.contains(#""version":""#) == true ? nil : top.text.output
        }
        #expect(top.isRunning)
        top.signal(2)
        let groups = try await LapseBinary.run(["groups", "--redis", server.url, "--json"])
        #expect(
            groups.code == 0 && groups.output.contains(#""watched""#) && groups.output.contains(#""one""#), "\(groups)")
        let status = try await LapseBinary.run(["status"] + group)
        #expect(status.output.contains(/one +leader +\d/), "\(status.output)")
        replica.signal(15)
        _ = try await replica.end()
        _ = try await top.end()
        await server.shutDown()
    }

    /// The keys of the registers depend on their number: three say little about a group that has five.
    @Test func groupsSayWhatTheyCannotTell() async throws {
        struct Group: Decodable {
            var name: String
            var isPaused: Bool?
        }
        let cluster = try await ThrowawayCluster.start()
        let group = ["--redis", cluster.nodes[0].url]
        func pauses(_ words: String...) async throws -> [Bool?] {
            let run = try await LapseBinary.run(["groups", "--json"] + group + words)
            #expect(run.code == 0 && run.output.contains(#""isPaused""#), "\(run)")
            return try JSONDecoder().decode([Group].self, from: Data(run.output.utf8)).map(\.isPaused)
        }
        let replica = try LapseBinary.start(
            ["run", "--lease-ttl", "1s", "--registers", "5", "--admin", "off"] + group)
        try await waitUntil("it leads", within: .seconds(30)) {
            replica.text.errors.contains("became leader") ? nil : replica.text.errors
        }
        #expect(try await pauses() == [nil])
        #expect(try await pauses("--registers", "5") == [false])
        let paused = try await LapseBinary.run(["pause", "--for", "60s", "--registers", "5"] + group)
        #expect(paused.code == 0, "\(paused)")
        #expect(try await pauses() == [nil])
        #expect(try await pauses("--registers", "5") == [true])
        let table = try await LapseBinary.run(["groups"] + group)
        #expect(table.output.contains("unknown"), "\(table)")
        replica.signal(15)
        _ = try await replica.end()
        await cluster.shutDown()
    }

    /// What cannot be read is a report, too: a reader of JSON finds nothing else on stdout.
    @Test func watchedJSONIsJSONThroughAnOutage() async throws {
        let server = try await ThrowawayServer.start()
        let top = try LapseBinary.start(["top", "--json", "--redis", server.url])
        try await waitUntil("it has looked", within: .seconds(20)) { top.lines.isEmpty ? "\(top.text)" : nil }
        await server.kill()
        try await waitUntil("it says that nothing can be read", within: .seconds(30)) {
            top.lines.contains { $0.contains(#""state":"unknown""#) } ? nil : "\(top.text)"
        }
        try await server.start()
        try await waitUntil("it reads again", within: .seconds(30)) {
            top.lines.last?.contains(#""state":"vacant""#) == true ? nil : "\(top.text)"
        }
        top.signal(2)
        let run = try await top.end()
        for line in run.output.split(separator: "\n") {
            let report = try JSONDecoder().decode(Report.self, from: Data(line.utf8))
            #expect(report.leader == nil && ["vacant", "unknown"].contains(report.state), "\(line)")
        }
        await server.shutDown()
    }

    @Test func eachLookUsesTheSameConnectionToALockServer() async throws {
        let server = try await ThrowawayServer.start()
        let lock = try await ThrowawayServer.start()
        let top = try LapseBinary.start(["top", "--json", "--redis", server.url, "--lock-servers", lock.url])
        try await waitUntil("it has looked four times", within: .seconds(30)) {
            top.lines.count >= 4 ? nil : "\(top.text)"
        }
        let clients = try await lock.cli("CLIENT", "LIST").split(separator: "\n").filter { $0.contains(" name=lapse") }
        #expect(clients.count == 1, "\(clients)")
        top.signal(2)
        _ = try await top.end()
        await server.shutDown()
        await lock.shutDown()
    }
}
