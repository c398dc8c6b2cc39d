import Chaos
import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// Redis refuses what Lapse asks of it, and goes on announcing. Real processes on real servers.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RefusedWritesTests {
    private func group(
        _ count: Int, _ server: ThrowawayServer, user: Bool = false, extra: [String] = []
    ) async throws -> ReplicaGroup {
        try await ReplicaGroup.start(
            count, binary: Binary.lapse, redis: user ? "redis://lapse:pw@\(server.address)" : server.url,
            name: "refused", leaseTTL: .seconds(2), nodes: 1, extra: extra)
    }

    private func expire(_ keys: [String], _ server: ThrowawayServer, milliseconds: Int = 100) async throws {
        try await server.script(keys.map { "SET \($0) v PX \(milliseconds)" })
    }

    private func waitUntilHandled(_ keys: [String], by group: ReplicaGroup) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(30)) {
            let missing = Set(keys).subtracting(group.handledKeys).count
            return missing == 0 ? nil : "\(missing) are missing: \(group.replicas.map { $0.log.suffix(2_000) })"
        }
    }

    /// A user that may do everything but these.
    private func options(without commands: String) -> ServerOptions {
        var options = ServerOptions()
        options.users = ["user lapse on >pw ~* &* +@all \(commands)"]
        return options
    }

    @Test("row 52: a user without ZADD reads the progress and handles everything; what it cannot say is told")
    func withoutZADD() async throws {
        let server = try await ThrowawayServer.start(options(without: "-zadd"))
        let group = try await group(1, server, user: true)
        let leader = try await group.leader()
        let keys = (0..<20).map { "k:\($0)" }
        try await expire(keys, server)
        try await waitUntilHandled(keys, by: group)
        try await waitUntilSaid("this replica cannot say that it is there", by: leader)
        try await waitUntilReady(true, leader, saying: "ok")
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 52: a leader that cannot read the progress says so, gives up, does not spin, and loses nothing silently")
    func unreadable() async throws {
        let server = try await ThrowawayServer.start(options(without: "-zrange"))
        let group = try await group(1, server, user: true, extra: ["--log-age", "3s"])
        let leader = try await group.leader()
        let keys = (0..<20).map { "k:\($0)" }
        try await expire(keys, server)
        try await waitUntilSaid("progress cannot be read", by: leader)
        #expect(leader.log.contains("can't run this command"))
        try await waitUntilReady(false, leader, saying: "progress cannot be read: {lapse-")
        try await waitUntilSaid("term given up: progress cannot be read", by: leader)
        #expect(group.handledKeys.isEmpty)
        // Three terms of nearly two leases each: it does not spin.
        let began = ContinuousClock.now
        try await waitUntil("it tries again and again", within: .seconds(60)) {
            leader.count(of: "term given up") >= 3 ? nil : "\(leader.count(of: "term given up"))"
        }
        #expect(leader.count(of: "became leader") <= 5)
        #expect(ContinuousClock.now - began > .seconds(4))
        _ = try await server.cli("ACL", "SETUSER", "lapse", "+zrange")
        try await waitUntilReady(true, leader, saying: "ok")
        let late = (0..<20).map { "late:\($0)" }
        try await expire(late, server)
        try await waitUntilHandled(late, by: group)
        // What grew too old meanwhile is counted.
        #expect(leader.sum(of: "lost", in: " gap ") + group.handledKeys.count == 40, "\(leader.log.suffix(3_000))")
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 52: a leader that may read the progress no more says so and gives up within seconds")
    func unreadableInMidTerm() async throws {
        let server = try await ThrowawayServer.start(options(without: ""))
        let group = try await group(1, server, user: true)
        let leader = try await group.leader()
        let keys = (0..<20).map { "k:\($0)" }
        try await expire(keys, server)
        try await waitUntilHandled(keys, by: group)
        _ = try await server.cli("ACL", "SETUSER", "lapse", "-zrange")
        try await waitUntilReady(false, leader, saying: "progress cannot be read: {lapse-")
        try await waitUntilSaid("term given up: progress cannot be read", by: leader)
        _ = try await server.cli("ACL", "SETUSER", "lapse", "+zrange")
        try await waitUntilReady(true, leader, saying: "ok")
        let late = (0..<20).map { "late:\($0)" }
        try await expire(late, server)
        try await waitUntilHandled(late, by: group)
        #expect(group.reported.lost == 0)
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 52: one of three registers that forbids reading is named, and the term goes on")
    func oneRegisterIsUnreadable() async throws {
        var settings = ClusterOptions()
        settings.replicasPerMaster = 0
        settings.server.users = options(without: "").users
        let cluster = try await ThrowawayCluster.start(settings)
        let masters = try await cluster.masters()
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: masters.map { "redis://lapse:pw@\($0.address)" }.joined(separator: ","),
            name: "refused", leaseTTL: .seconds(2), nodes: 3)
        let leader = try await group.leader()
        _ = try await masters[0].cli("ACL", "SETUSER", "lapse", "-zrange")
        try await waitUntilSaid("a register forbids reading progress: fewer others may be away", by: leader)
        #expect(leader.log.contains("can't run this command"))
        try await waitUntilReady(true, leader, saying: "ok")
        _ = try await masters[0].cli("ACL", "SETUSER", "lapse", "+zrange")
        try await waitUntilSaid("a register allows reading progress again", by: leader)
        #expect(leader.count(of: "progress cannot be read") == 0 && leader.count(of: "became leader") == 1)
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 56: memory is full: feeds are marked and handled all the same; a crash repeats a second of work at most")
    func memoryIsFull() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await group(2, server)
        let leader = try await group.leader()
        let follower = try #require(group.replicas.first { $0.id != leader.id })
        let keys = (0..<600).map { "k:\($0)" }
        try await expire(keys, server, milliseconds: 2_500)
        _ = try await server.cli("CONFIG", "SET", "maxmemory", "1")
        _ = try await server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        try await waitUntilHandled(keys, by: group)
        #expect(group.count(of: "mark failed") == 0)
        #expect(group.reported.lost == 0)
        try await waitUntilSaid("progress cannot be written", by: leader)
        #expect(leader.log.contains("OOM command not allowed"))
        try await waitUntilSaid("progress comes over the control channel", by: follower)
        // Until the last telling has had its second.
        let last = try #require(group.handled.last?.time)
        try await waitUntil("a second has passed", within: .seconds(10)) {
            Date.now.timeIntervalSince1970 > last + 2 ? nil : "not yet"
        }
        await leader.kill()
        try await waitUntilSaid("nobody can be elected: \(server.address) refuses writes: OOM", by: follower)
        try await waitUntilReady(
            false, follower,
            saying: "nobody can be elected: \(server.address) refuses writes: OOM command not allowed")
        _ = try await server.cli("CONFIG", "SET", "maxmemory", "0")
        try await expire(["last"], server)
        try await waitUntilHandled(["last"], by: group)
        let twice = group.handled.count - group.handledKeys.count
        #expect(twice == 0, "\(twice) of 600 were handled twice")
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 56: memory is full, and a leader leaves before it has told its progress once: nothing twice")
    func memoryIsFullAtTheEnd() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await group(2, server)
        for round in 0..<3 {
            let leader = try await group.leader()
            let follower = try #require(group.replicas.first { $0.id != leader.id })
            let heard = follower.count(of: "progress comes over the control channel")
            let keys = (0..<200).map { "k:\(round):\($0)" }
            try await expire(keys, server, milliseconds: 700)
            _ = try await server.cli("CONFIG", "SET", "maxmemory", "1")
            try await waitUntil("some are handled", within: .seconds(20)) {
                group.handledKeys.isDisjoint(with: keys) ? "not yet" : nil
            }
            let untold = leader.count(of: "last progress not written")
            leader.signal(SIGTERM)
            try await waitUntil("it has given up writing", within: .seconds(20)) {
                leader.count(of: "last progress not written") > untold ? nil : "\(leader.log.suffix(1_000))"
            }
            #expect(follower.count(of: "progress comes over the control channel") == heard + 1)
            _ = try await server.cli("CONFIG", "SET", "maxmemory", "0")
            #expect(await leader.waitForExit(within: .seconds(20)))
            #expect(leader.exitCode == 0)
            try await waitUntilHandled(keys, by: group)
            try await group.startAgain(leader)
        }
        let twice = group.handled.count - group.handledKeys.count
        #expect(twice == 0, "\(twice) of 600 were handled twice")
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 56: a server that cannot save refuses PING too: no feed is dropped for it, and all is handled")
    func cannotSave() async throws {
        let (server, locks) = (try await ThrowawayServer.start(), try await ThrowawayServer.start())
        // Nothing can be saved where a directory lies.
        try FileManager.default.createDirectory(
            at: server.directory.appending(path: "dump.rdb"), withIntermediateDirectories: false)
        let group = try await group(1, server, extra: ["--lock-servers", locks.url])
        let leader = try await group.leader()
        let keys = (0..<50).map { "k:\($0)" }
        try await expire(keys, server, milliseconds: 4_000)
        _ = try await server.cli("CONFIG", "SET", "save", "1 1")
        try await waitUntil("it refuses writes", within: .seconds(20)) {
            _ = try? await server.cli("BGSAVE")
            do {
                return try await server.cli("PING")
            } catch {
                return "\(error)".contains("MISCONF") ? nil : "\(error)"
            }
        }
        let subscribed = leader.count(of: " subscribed")
        _ = try await server.cli("CLIENT", "KILL", "TYPE", "pubsub")
        try await waitUntil("it subscribes again", within: .seconds(20)) {
            leader.count(of: " subscribed") > subscribed ? nil : "\(leader.log.suffix(1_000))"
        }
        try await waitUntilHandled(keys, by: group)
        try await waitUntilSaid("progress cannot be written", by: leader)
        #expect(leader.log.contains("MISCONF"))
        #expect(leader.count(of: "subscription lost") == 1, "only the one that was cut: \(leader.log.suffix(3_000))")
        await group.shutDown()
        for server in [server, locks] { await server.shutDown() }
    }

    @Test("row 56: too few replicas to write: said as the reason why nobody can be elected")
    func tooFewReplicas() async throws {
        let server = try await ThrowawayServer.start()
        _ = try await server.cli("CONFIG", "SET", "min-replicas-to-write", "1")
        let group = try await group(1, server)
        try await waitUntilSaid(
            "nobody can be elected: \(server.address) refuses writes: NOREPLICAS", by: group.replicas[0])
        try await waitUntilReady(false, group.replicas[0], saying: "refuses writes: NOREPLICAS")
        _ = try await server.cli("CONFIG", "SET", "min-replicas-to-write", "0")
        try await expire(["after"], server)
        try await waitUntilHandled(["after"], by: group)
        try await waitUntilReady(true, group.replicas[0], saying: "ok")
        await group.shutDown()
        await server.shutDown()
    }
    @Test("row 56: lock servers that are gone while Redis is there are told, and in the readiness")
    func electionOutOfReach() async throws {
        let (server, locks) = (try await ThrowawayServer.start(), try await ThrowawayServer.start())
        let group = try await group(1, server, extra: ["--lock-servers", locks.url])
        let replica = try await group.leader()
        await locks.kill()
        try await waitUntilSaid("the election is out of reach: \(locks.address)", by: replica)
        try await waitUntilReady(false, replica, saying: "the election is out of reach: \(locks.address)")
        try await locks.start()
        try await waitUntilSaid("the election is in reach again", by: replica)
        try await waitUntilReady(true, replica, saying: "ok")
        await group.shutDown()
        for server in [server, locks] { await server.shutDown() }
    }
}
