import Foundation
import FoundationNetworking
import Glibc
import Testing
import ThrowawayRedis
import ThrowawayStores

/// Rows 109, 110 and 66 with real processes: groups that do not agree on their rules, or on which group
/// they are.
@Suite(.timeLimit(.minutes(5)), .serialized) struct GroupRulesProcessTests {
    private func replica(
        _ id: String, _ redis: String, _ options: [String] = [], admin: String = "off"
    ) throws -> LapseBinary.Child {
        try LapseBinary.start(
            ["run", "--redis", redis, "--name", "g", "--lease-ttl", "2s", "--handler", "ndjson", "--id", id]
                + ["--admin", admin] + options)
    }

    private func wait(for text: String, from child: LapseBinary.Child) async throws {
        try await waitUntil("it says: \(text)", within: .seconds(30)) {
            child.text.errors.contains(text) ? nil : child.text.errors
        }
    }

    private func end(_ children: [LapseBinary.Child]) async throws {
        for child in children { child.signal(SIGTERM) }
        for child in children { #expect(try await child.end(within: .seconds(30)).code == 0) }
    }

    /// 60 keys expire; each is handled once, whichever replica leads.
    private func expectOnce(_ server: ThrowawayServer, _ children: [LapseBinary.Child]) async throws {
        func keys() -> [String] {
            children.flatMap(\.lines).compactMap { line in
                line.split(separator: "\"").first { $0.hasPrefix("k:") }.map(String.init)
            }
        }
        try await server.script((0..<60).map { "SET k:\($0) v PX 20" })
        try await waitUntil("all are handled", within: .seconds(20)) {
            Set(keys()).count == 60 ? nil : "\(Set(keys()).count) of 60"
        }
        #expect(keys().count == 60, "\(keys().count) handled of 60 keys")
    }

    private static let registers: [(first: [String], second: [String])] = [
        (["--registers", "1"], ["--registers", "3"]), (["--registers", "3"], ["--registers", "1"]),
        (["--registers", "3"], ["--registers", "5"]), (["--registers", "5"], ["--registers", "1"]),
    ]

    @Test(arguments: registers) func otherRegistersAreRefused(first: [String], second: [String]) async throws {
        let server = try await ThrowawayServer.start()
        let leader = try replica("one", server.url, first)
        try await wait(for: "became leader", from: leader)
        let newcomer = try replica("two", server.url, second)
        try await wait(for: "not campaigning", from: newcomer)
        for options in [first, second] {
            #expect(newcomer.text.errors.contains("registers=\(options[1])"), "both rules are named")
        }
        #expect(newcomer.text.errors.contains("replica one"))
        try await expectOnce(server, [leader, newcomer])
        #expect(!newcomer.text.errors.contains("became leader"))
        // All that have the old rules are stopped: then its own hold.
        leader.signal(SIGTERM)
        #expect(try await leader.end().code == 0)
        try await wait(for: "became leader", from: newcomer)
        try await end([newcomer])
        await server.shutDown()
    }

    @Test func lockServersBesideRegistersAreRefused() async throws {
        let server = try await ThrowawayServer.start()
        let lock = try await ThrowawayServer.start()
        let leader = try replica("one", server.url)
        try await wait(for: "became leader", from: leader)
        let newcomer = try replica("two", server.url, ["--lock-servers", lock.url])
        try await wait(for: "not campaigning", from: newcomer)
        try await expectOnce(server, [leader, newcomer])
        #expect(!newcomer.text.errors.contains("became leader"))
        try await end([leader, newcomer])
        await server.shutDown()
        await lock.shutDown()
    }

    @Test(.enabled(if: ThrowawayEtcd.isInstalled)) func anotherStoreIsRefusedWhoeverWasFirst() async throws {
        let etcd = try await ThrowawayEtcd.start()
        let store = ["--store", "etcd://127.0.0.1:\(etcd.port)/test"]
        for (first, second) in [([], store), (store, [])] {
            let server = try await ThrowawayServer.start()
            let leader = try replica("one", server.url, first)
            try await wait(for: "became leader", from: leader)
            let newcomer = try replica("two", server.url, second)
            try await wait(for: "not campaigning", from: newcomer)
            #expect(newcomer.text.errors.contains("naming=etcd:/test"))
            try await expectOnce(server, [leader, newcomer])
            #expect(!newcomer.text.errors.contains("became leader"))
            try await end([leader, newcomer])
            await server.shutDown()
        }
        await etcd.shutDown()
    }

    @Test(.enabled(if: ThrowawayEtcd.isInstalled)) func twoDeploymentsWithOneStoreAreToldApart() async throws {
        let etcd = try await ThrowawayEtcd.start()
        let store = ["--store", "etcd://127.0.0.1:\(etcd.port)/test"]
        let (here, there) = (try await ThrowawayServer.start(), try await ThrowawayServer.start())
        let leader = try replica("one", here.url, store)
        try await wait(for: "became leader", from: leader)
        let stranger = try replica("two", there.url, store, admin: "127.0.0.1:0")
        try await wait(for: "not campaigning", from: stranger)
        for server in [here, there] {
            #expect(stranger.text.errors.contains("at 127.0.0.1:\(server.port)"), "both deployments are named")
        }
        let opened = try #require(stranger.text.errors.split(separator: "\n").first { $0.contains("admin port open") })
        let port = try #require(opened.split(separator: ":").last?.prefix { $0.isNumber })
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/readyz"))
        let (body, answer) = try await URLSession.shared.data(from: url)
        #expect((answer as? HTTPURLResponse)?.statusCode == 503)
        #expect(String(decoding: body, as: UTF8.self).contains("not campaigning"))
        // A replica of the leader's own deployment follows.
        let follower = try replica("three", here.url, store)
        try await wait(for: "following", from: follower)
        #expect(!follower.text.errors.contains("not campaigning"))
        try await end([leader, stranger, follower])
        for server in [here, there] { await server.shutDown() }
        await etcd.shutDown()
    }

    /// Each of two has looked at the members after the other was first seen there.
    private func waitUntilPeersAreKnown(_ server: ThrowawayServer) async throws {
        var first: [String: Int] = [:]
        let key = try await server.cli("KEYS", "*:members")
        try await waitUntil("both know each other", within: .seconds(20)) {
            let words = try await server.cli("ZRANGE", key, "0", "-1", "WITHSCORES").split(separator: "\n")
            let pairs = stride(from: 0, to: words.count - 1, by: 2).map { (String(words[$0]), Int(words[$0 + 1]) ?? 0) }
            first.merge(pairs) { first, _ in first }
            let joined = first.values.max() ?? 0
            return pairs.count == 2 && pairs.allSatisfy { $0.1 > joined } ? nil : "\(pairs)"
        }
    }

    /// Row 66: what the leader's feed missed, a follower with the same ID has.
    @Test func aNamesakesLogIsUsed() async throws {
        var options = ServerOptions()
        options.extra = ["enable-debug-command yes"]
        let server = try await ThrowawayServer.start(options)
        let leader = try replica("same", server.url)
        try await wait(for: "became leader", from: leader)
        try await wait(for: "subscribed", from: leader)
        func feeds() async throws -> [Substring] {
            try await server.cli("CLIENT", "LIST", "TYPE", "pubsub").split(separator: "\n")
                .filter { $0.contains(":feed") }
                .compactMap { $0.split(separator: " ").first?.split(separator: "=").last }
        }
        let feed = try #require(try await feeds().first)
        let namesake = try replica("same", server.url)
        try await wait(for: "another replica has the same id", from: leader)
        try await wait(for: "subscribed", from: namesake)
        try await waitUntilPeersAreKnown(server)
        // Announced in the same step in which the leader's feed is cut: only the namesake hears them.
        try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        try await server.script((0..<30).map { "SET k:\($0) v PX 1" })
        try await server.script(["MULTI", "CLIENT KILL ID \(feed)"] + (0..<30).map { "GET k:\($0)" } + ["EXEC"])
        try await waitUntil("all are handled", within: .seconds(20)) {
            leader.lines.count >= 30 ? nil : "\(leader.lines.count) of 30: \(leader.text.errors)"
        }
        #expect(leader.lines.count == 30 && namesake.lines.isEmpty)
        try await end([leader, namesake])
        await server.shutDown()
    }

    @Test func aProgramAndAServiceOfOneNameAreToldApart() async throws {
        let server = try await ThrowawayServer.start()
        let service = try replica("one", server.url)
        try await wait(for: "became leader", from: service)
        let program = try LapseBinary.start(
            ["elect", "--redis", server.url, "--name", "g", "--lease-ttl", "2s", "--id", "two"] + [
                "--", "sleep", "1000",
            ])
        try await wait(for: "not campaigning", from: program)
        #expect(program.text.errors.contains("for run") && program.text.errors.contains("for elect"))
        try await end([service])
        try await wait(for: "became leader", from: program)
        program.signal(SIGTERM)
        _ = try await program.end()
        await server.shutDown()
    }

    @Test func namesakesAndOtherKeysAreTold() async throws {
        let server = try await ThrowawayServer.start()
        let leader = try replica("same", server.url, ["--match", "a*", "--match", "k:*"])
        try await wait(for: "became leader", from: leader)
        let namesake = try replica("same", server.url, ["--match", "k:*", "--match", "a*"])
        let other = try replica("other", server.url, ["--match", "k:*"])
        for child in [leader, namesake] {
            try await wait(for: "another replica has the same id", from: child)
            try await wait(for: "another replica wants other keys", from: child)
            #expect(child.text.errors.contains("same, other") || child.text.errors.contains("other"))
        }
        try await wait(for: "another replica wants other keys", from: other)
        #expect(!other.text.errors.contains("the same id"))
        try await end([leader, namesake, other])
        await server.shutDown()
    }
}
