import Foundation
import FoundationNetworking
import Glibc
import Testing
import ThrowawayRedis

/// The command against a real server.
@Suite(.timeLimit(.minutes(2)), .serialized) struct ServiceTests {
    private struct Line: Decodable {
        var key: String
        var database: Int
        var node: String
        var ordinal: Int
        var origin: String
        var replica: String
        var term: Int
        var attempt: Int
    }

    private func start(_ server: ThrowawayServer, _ more: [String] = []) async throws -> LapseBinary.Child {
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--handler", "ndjson", "--id", "one"]
                + (more.contains("--admin") ? more : more + ["--admin", "off"]))
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        return child
    }

    private func expire(_ count: Int, _ server: ThrowawayServer, prefix: String = "k:") async throws {
        try await server.script((0..<count).map { "SET \(prefix)\($0) v PX 20" })
    }

    @Test func everyExpirationIsALine() async throws {
        let server = try await ThrowawayServer.start()
        let child = try await start(server, ["--match", "k:*"])
        try await expire(50, server, prefix: "other:")
        try await expire(50, server)
        try await waitUntil("all are printed", within: .seconds(10)) {
            child.lines.count >= 50 ? nil : "\(child.lines.count) are"
        }
        let status = try await LapseBinary.run(["status", "--redis", server.url])
        #expect(status.code == 0)
        #expect(status.output.contains("leader    one"), "\(status.output)")

        child.signal(SIGTERM)
        let run = try await child.end()
        #expect(run.code == 0, "\(run.errors)")
        let lines = try child.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(Set(lines.map(\.key)) == Set((0..<50).map { "k:\($0)" }))
        #expect(lines.count == 50)
        #expect(lines.allSatisfy { $0.replica == "one" && $0.origin == "live" && $0.node == server.address })
        #expect(run.errors.contains("leadership released"))

        let after = try await LapseBinary.run(["status", "--redis", server.url, "--json"])
        #expect(after.code == 1)
        #expect(after.output.contains(#""leader" : null"#), "\(after.output)")
        await server.shutDown()
    }

    @Test func aReaderThatHasGoneEndsTheServiceAndLosesNothing() async throws {
        let server = try await ThrowawayServer.start()
        let child = try await start(server)
        let other = try LapseBinary.start(
            ["run", "--redis", server.url, "--lease-ttl", "1s", "--handler", "ndjson", "--id", "two"]
                + ["--admin", "off"])
        try await waitUntil("it follows", within: .seconds(10)) {
            let text = other.text.errors
            return text.contains("following") && text.contains("subscribed") ? nil : text
        }
        try child.closeOutput()
        // Noticed without an expiration.
        let run = try await child.end()
        try await expire(3, server)
        #expect(run.code == 70)
        #expect(run.lastLine == "lapse: stdout is closed: its reader has ended", "\(run.errors)")
        #expect(run.errors.contains("leadership released"))
        try await waitUntil("the other one prints them", within: .seconds(10)) {
            other.lines.count >= 3 ? nil : "\(other.text)"
        }
        other.signal(SIGTERM)
        #expect(try await other.end().code == 0)
        await server.shutDown()
    }

    @Test func theAdminPortAnswersAndEndsWithTheService() async throws {
        let server = try await ThrowawayServer.start()
        let child = try await start(server, ["--admin", "127.0.0.1:0", "--log-format", "json"])
        let opened = try #require(
            child.text.errors.split(separator: "\n").first { $0.contains("admin port open") })
        let facts = try JSONDecoder().decode([String: String].self, from: Data(opened.utf8))
        let address = try #require(facts["address"])
        let pages = try ["readyz", "livez", "metrics", "status"].map { page in
            try String(contentsOf: #require(URL(string: "http://\(address)/\(page)")), encoding: .utf8)
        }
        #expect(pages[0] == "ok\n" && pages[1] == "ok\n")
        #expect(pages[2].contains("\nlapse_leader 1\n"))
        #expect(pages[2].contains("lapse_expirations_ignored_total{node=\"\(server.address)\"} 0"))
        #expect(pages[3].contains("\"isLeader\":true"))
        #expect(pages[2].contains("\nlapse_ready 1\n") && pages[2].contains("lapse_build_info{"))
        #expect(pages[2].contains("\nprocess_resident_memory_bytes "))
        let healthy = try await LapseBinary.run(["health", "--admin", address, "--ready"])
        #expect(healthy.code == 0 && healthy.output == "ok\n", "\(healthy)")
        try await server.cli("CONFIG", "SET", "notify-keyspace-events", "")
        try await waitUntil("the missing flags are told", within: .seconds(30)) {
            let run = try await LapseBinary.run(["health", "--admin", address, "--ready"])
            return run.code == 1 && run.lastLine.contains("not ready: ") ? nil : "\(run)"
        }
        child.signal(SIGINT)
        #expect(try await child.end().code == 0)
        let gone = try await LapseBinary.run(["health", "--admin", address])
        #expect(gone.code == 69 && gone.lastLine.contains("does not answer"), "\(gone)")
        #expect(try await LapseBinary.run(["health", "--admin", "off"]).code == 64)
        await server.shutDown()
    }

    @Test("--exec runs a program for each, again where it asks for that, and none outlives lapse")
    func aProgramForEach() async throws {
        let server = try await ThrowawayServer.start()
        let directory = FileManager.default.temporaryDirectory.appending(path: "exec-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let script = """
            echo "$LAPSE_KEY $LAPSE_ATTEMPT" >> \(directory.path)/calls
            echo "seen $LAPSE_KEY"
            case "$LAPSE_KEY $LAPSE_ATTEMPT" in
            "k:1 1") exit 75 ;;
            k:stuck*) echo $$ > \(directory.path)/new && mv \(directory.path)/new \(directory.path)/pid; sleep 300 ;;
            esac
            """
        let command = "/bin/sh -c '\(script)'"
        let child = try LapseBinary.start([
            "run", "--redis", server.url, "--lease-ttl", "1s", "--admin", "off", "--exec", command,
        ])
        try await waitUntil("it leads", within: .seconds(15)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        func lines() -> [String] {
            ((try? String(contentsOf: directory.appending(path: "calls"), encoding: .utf8)) ?? "").split(
                separator: "\n"
            )
            .map(String.init)
        }
        try await expire(20, server)
        try await waitUntil("each is handled", within: .seconds(20)) { lines().count >= 21 ? nil : "\(lines())" }
        #expect(Set(lines()) == Set((0..<20).map { "k:\($0) 1" } + ["k:1 2"]) && lines().count == 21)
        try await waitUntil("its output is in the log", within: .seconds(10)) {
            child.text.errors.contains("seen k:7") ? nil : child.text.errors
        }
        try await server.script(["SET k:stuck v PX 20"])
        var pid: Int32?
        try await waitUntil("it runs", within: .seconds(20)) {
            pid = (try? String(contentsOf: directory.appending(path: "pid"), encoding: .utf8))
                .flatMap { Int32($0.dropLast()) }
            return pid == nil ? "not yet" : nil
        }
        let program = try #require(pid)
        child.signal(SIGKILL)
        _ = try await child.end()
        try await waitUntil("the program has died with lapse", within: .seconds(10)) {
            kill(program, 0) == 0 ? "it lives" : nil
        }
        await server.shutDown()
    }

    @Test(
        "--exec beside --handler, without a program, or with one that is not there, is a usage error",
        arguments: [
            (["--exec", "true", "--handler", "log"], "exclude each other"),
            (["--exec", "/no/such/program"], "/no/such/program"),
            (["--exec-stream", "true", "--exec", "true"], "exclude each other"),
            (["--exec-stream", "/no/such/program"], "--exec-stream: there is no program '/no/such/program'"),
            (["--exec", "'true"], "without its end"),
        ])
    func impossiblePrograms(options: [String], text: String) async throws {
        let run = try await LapseBinary.run(["run", "--admin", "off"] + options)
        #expect(run.code == 64 && run.lastLine.contains(text), "\(run)")
    }

    @Test("without setpriv a program outlives a lapse that is killed: it is said at the start")
    func withoutSetpriv() async throws {
        let run = try await LapseBinary.run(
            [
                "run", "--exec", "/bin/true", "--admin", "off", "--redis", "redis://127.0.0.1:1", "--startup-timeout",
                "1s",
            ],
            environment: ["PATH": "/nonexistent"])
        #expect(run.errors.contains("--exec: there is no setpriv (util-linux)"), "\(run)")
    }

    @Test(
        "a stream beside another handler, its options without it, or a key that cannot be spread is a usage error",
        arguments: [
            (["--stream", "s", "--handler", "log"], "exclude each other"),
            (["--partitions", "2"], "give --stream KEY"), (["--stream", "{s}", "--partitions", "2"], "hash tag"),
            (["--stream", "s}"], "braces"), (["--stream", "s", "--partitions", "257"], "1 to 256"),
        ])
    func impossibleStreams(options: [String], text: String) async throws {
        let run = try await LapseBinary.run(["run", "--admin", "off"] + options)
        #expect(run.code == 64 && run.lastLine.contains(text), "\(run)")
    }

    @Test func tailPrintsWhatEveryNodeSays() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(
            ["tail", "--redis", server.url, "--database", "2", "--ignore", "x*", "--log-level", "debug", "--json"])
        try await waitUntil("it listens", within: .seconds(10)) {
            child.text.errors.contains("subscribed") ? nil : child.text.errors
        }
        try await server.script(["SET k:0 v PX 20", "SELECT 2", "SET x v PX 20", "SET k:1 v PX 20"])
        try await waitUntil("it prints", within: .seconds(10)) { child.lines.isEmpty ? "nothing yet" : nil }
        child.signal(SIGINT)
        let run = try await child.end()
        #expect(run.code == 0)
        #expect(child.lines.count == 1)
        #expect(run.output.hasPrefix(#"{"key":"k:1","database":2,"node":"\#(server.address)","receivedAt":"#))
        await server.shutDown()
    }

    @Test func aTailWhoseConnectionHasDiedSaysSoAndListensAgain() async throws {
        let server = try await ThrowawayServer.start()
        let relay = try Relay(to: server)
        let child = try LapseBinary.start(["tail", "--redis", relay.url, "--log-level", "debug"])
        let subscribed = { child.text.errors.split(separator: "\n").count { $0.contains(" subscribed ") } }
        try await waitUntil("it listens", within: .seconds(10)) { subscribed() == 1 ? nil : child.text.errors }
        relay.holdFeeds()
        try await waitUntil("it listens again", within: .seconds(30)) { subscribed() == 2 ? nil : child.text.errors }
        try await waitUntil("it says so", within: .seconds(10)) {
            child.text.errors.contains("the node is heard again") ? nil : child.text.errors
        }
        #expect(child.text.errors.contains("the node is silent: nothing of it is printed"))
        try await server.script(["SET k v PX 20"])
        try await waitUntil("it prints", within: .seconds(10)) { child.lines.count == 1 ? nil : "nothing yet" }
        child.signal(SIGINT)
        #expect(try await child.end().code == 0)
        relay.shutDown()
        await server.shutDown()
    }

    @Test func aTailThatNobodyReadsEndsWithoutAnExpiration() async throws {
        let server = try await ThrowawayServer.start()
        let child = try LapseBinary.start(["tail", "--redis", server.url, "--log-level", "debug"])
        try await waitUntil("it listens", within: .seconds(10)) {
            child.text.errors.contains("subscribed") ? nil : child.text.errors
        }
        try child.closeOutput()
        let run = try await child.end()
        #expect(run.code == 70)
        #expect(run.lastLine == "lapse: stdout is closed: its reader has ended", "\(run.errors)")
        await server.shutDown()
    }

    @Test func aTailFollowsTheCluster() async throws {
        let cluster = try await ThrowawayCluster.start()
        let child = try LapseBinary.start(
            ["tail", "--redis", cluster.nodes[0].url, "--log-level", "debug", "--match", "k:*"])
        try await waitUntil("it listens to every node", within: .seconds(10)) {
            let subscribed = child.text.errors.split(separator: "\n").count { $0.contains(" subscribed ") }
            return subscribed == 6 ? nil : child.text.errors
        }
        let master = try #require(try await cluster.masters().first)
        let replica = try #require(try await cluster.replicas(of: master).first)
        try await cluster.failover(replica)
        let added = try await cluster.addNode()
        try await waitUntil("it listens to the new one", within: .seconds(10)) {
            child.text.errors.contains("subscribed  node=\(added.address)") ? nil : child.text.errors
        }
        let armed = try await ArmedKeys(cluster: cluster).run(
            rate: 200, ttl: .milliseconds(50)...(.milliseconds(200)), duration: .seconds(1))
        try await waitUntil("all are printed", within: .seconds(15)) {
            child.lines.count >= armed.acknowledged.count ? nil : "\(child.lines.count) are"
        }
        let keys = child.lines.compactMap { $0.split(separator: " ").last.map(String.init) }
        #expect(Set(keys) == Set(armed.acknowledged.keys))
        child.signal(SIGTERM)
        #expect(try await child.end().code == 0)
        await cluster.shutDown()
    }
}
