import Chaos
import Foundation
import Testing
import ThrowawayRedis

/// An address is only where a server was last seen: names that move, that mean the same, and that
/// others have taken over.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct IdentityFaultTests {
    private func start(_ redis: String, nodes: Int, _ extra: [String] = []) async throws -> ReplicaGroup {
        try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: redis, name: "who", leaseTTL: .seconds(10), nodes: nodes, extra: extra)
    }

    private func expire(_ count: Int, _ prefix: String, on server: ThrowawayServer, database: Int = 0) async throws {
        try await server.script(
            ["SELECT \(database)"] + (0..<count).map { "SET \(prefix)\($0) v PX 300" })
    }

    private func waitUntilHandled(_ count: Int, _ prefix: String, by group: ReplicaGroup) async throws {
        try await waitUntil("\(count) of \(prefix) are handled", within: .seconds(30)) {
            let handled = group.handledKeys.count { $0.hasPrefix(prefix) }
            return handled == count ? nil : "\(handled) are"
        }
    }

    private func wait(for line: String, by group: ReplicaGroup) async throws {
        try await waitUntil("the log says '\(line)'", within: .seconds(30)) {
            group.count(of: line) > 0 ? nil : "not yet"
        }
    }

    @Test("row 60: one server under two names has one feed, and whatever is cut, everything is handled once")
    func twoNames() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await start("redis://localhost:\(server.port),\(server.url)", nodes: 1)
        _ = try await group.leader()
        for round in 0..<3 {
            try await expire(300, "k\(round):", on: server)
            try await waitUntilHandled(300, "k\(round):", by: group)
            try await server.cli("CLIENT", "KILL", "TYPE", "pubsub")
            try await waitUntil("it listens again", within: .seconds(20)) {
                group.count(of: " subscribed") == round + 2 ? nil : "not yet"
            }
        }
        #expect(group.handled.count == 900)
        #expect(Set(group.handled.map(\.node)) == ["localhost:\(server.port)"])
        #expect(group.count(of: "two addresses lead to one server") == 1)
        await group.shutDown()
        await server.shutDown()
    }

    @Test("row 60: the name by which a replica calls its master leads to no second feed")
    func masterHost() async throws {
        let master = try await ThrowawayServer.start()
        var options = ServerOptions()
        options.extra = ["replicaof localhost \(master.port)"]
        let replica = try await ThrowawayServer.start(options)
        try await waitUntil("the replica is in step", within: .seconds(10)) {
            try await replica.info("master_link_status") == "up" ? nil : "not yet"
        }
        let group = try await start(replica.url, nodes: 2)
        _ = try await group.leader()
        try await expire(300, "k:", on: master)
        try await waitUntilHandled(300, "k:", by: group)
        try await expire(300, "l:", on: master)
        try await waitUntilHandled(300, "l:", by: group)
        #expect(Set(group.handled.map(\.node)).count == 1 && group.count(of: " subscribed") == 2)
        await group.shutDown()
        await replica.shutDown()
        await master.shutDown()
    }

    @Test("row 61: a node whose own word for its address is wrong is reached where the others see it")
    func wrongOwnWord() async throws {
        let cluster = try await ThrowawayCluster.start()
        let node = try await cluster.masters()[0]
        await cluster.kill(node)
        let file = node.directory.appending(path: "nodes.conf")
        let text = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            // An address that was this node's once: nothing listens there.
            line.contains("myself") ? String(line).replacing("127.0.0.1:", with: "127.0.0.9:") : String(line)
        }
        try Data((text.joined(separator: "\n") + "\n").utf8).write(to: file)
        try await cluster.restart(node)
        try await cluster.waitUntilHealthy()
        #expect(try await node.cli("CLUSTER", "NODES").contains("127.0.0.9:\(node.port)"))
        let group = try await start(node.url, nodes: 6)
        _ = try await group.leader()
        for round in 0..<3 {
            for (index, master) in try await cluster.masters().enumerated() {
                let tag = try await master.tag()
                try await expire(20, "{\(tag)}k\(round)\(index):", on: master)
                try await waitUntilHandled(20, "{\(tag)}k\(round)\(index):", by: group)
            }
        }
        #expect(group.count(of: "subscription lost") == 0)
        #expect(!group.replicas[0].log.contains("127.0.0.9"))
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test(
        "row 62: an address taken over by a node of another cluster: nothing of it is handled, nothing is written there"
    )
    func addressTakenOver() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let group = try await start(cluster.urls, nodes: 3)
        _ = try await group.leader()
        let lost = try await cluster.masters()[0]
        let former = try await lost.cli("CLUSTER", "MYID")
        await cluster.kill(lost)
        try FileManager.default.removeItem(at: lost.directory.appending(path: "nodes.conf"))
        try await lost.start()
        // Another cluster with a later configuration, which claims every slot.
        try await lost.script([
            "CLUSTER SET-CONFIG-EPOCH 900", "CLUSTER ADDSLOTS \((0..<16384).map(String.init).joined(separator: " "))",
        ])
        let foreign = try await lost.cli("CLUSTER", "MYID")
        for node in cluster.nodes {
            try await waitUntil("\(node.address) takes commands", within: .seconds(20)) {
                try await node.cli("CLUSTER", "INFO").contains("cluster_state:ok") ? nil : "not yet"
            }
        }
        try await waitUntil("both IDs are named", within: .seconds(30)) {
            group.replicas[0].log.split(separator: "\n").contains {
                $0.contains(" error ") && $0.contains(foreign) && $0.contains(former)
            } ? nil : "not yet"
        }
        // A replica that starts now is given the same addresses.
        let second = try ThrowawayReplica(
            id: "second", binary: Binary.lapse,
            arguments: ["--redis", cluster.urls, "--name", "who", "--lease-ttl", "10s", "--admin", "off"])
        try await second.start()
        try await waitUntil("it follows", within: .seconds(20)) {
            second.count(of: "following") + second.count(of: "became leader") > 0 ? nil : second.log
        }
        try await expire(200, "foreign:", on: lost)
        let own = try #require(cluster.nodes.first { $0 !== lost })
        let tag = try await own.tag()
        try await expire(50, "{\(tag)}own:", on: own)
        try await waitUntil("the foreign ones have expired", within: .seconds(20)) {
            try await lost.info("expired_keys") == "200" ? nil : "not yet"
        }
        try await waitUntilHandled(50, "{\(tag)}own:", by: group)
        #expect((group.handled + second.handled).allSatisfy { !$0.key.hasPrefix("foreign:") })
        #expect(try await lost.cli("KEYS", "*lapse*").isEmpty)
        #expect(group.count(of: "became leader") + second.count(of: "became leader") == 1)
        await second.kill()
        await group.shutDown()
        await cluster.shutDown()
    }

    @Test("row 63: a replica that is made a master of its own leaves, also when its address is the smaller one")
    func detachedReplica() async throws {
        let servers = try await [ThrowawayServer.start(), ThrowawayServer.start()].sorted { $0.port < $1.port }
        let (copy, master) = (servers[0], servers[1])
        try await copy.cli("REPLICAOF", master.host, "\(master.port)")
        try await waitUntil("the replica is in step", within: .seconds(10)) {
            try await copy.info("master_link_status") == "up" ? nil : "not yet"
        }
        let group = try await start(master.url, nodes: 2)
        _ = try await group.leader()
        try await copy.cli("REPLICAOF", "NO", "ONE")
        try await wait(for: "not a member of the deployment", by: group)
        try await expire(100, "copy:", on: copy)
        try await expire(100, "own:", on: master)
        try await waitUntil("the copies have expired", within: .seconds(20)) {
            try await copy.cli("KEYS", "copy:*").isEmpty ? nil : "not yet"
        }
        try await waitUntilHandled(100, "own:", by: group)
        #expect(group.handled.count == 100)
        #expect(group.count(of: "became leader") == 1 && group.count(of: "not a member") == 1)
        await group.shutDown()
        for server in servers { await server.shutDown() }
    }

    @Test("row 64: a name that moves to a server with a long past: nothing of that past is lost")
    func nameMoves() async throws {
        let old = try await ThrowawayServer.start()
        let next = try await ThrowawayServer.start()
        try await next.script([
            "EVAL \"for i = 1, 20000 do redis.call('SET', 'x' .. i, 1, 'PX', 1) end\" 0"
        ])
        let relay = try Relay(to: old)
        let group = try await start(relay.url, nodes: 1)
        _ = try await group.leader()
        try await waitUntil("the other one has a past", within: .seconds(30)) {
            let uptime = try await next.info("uptime_in_seconds").flatMap { Int($0) } ?? 0
            return try await next.info("expired_keys") == "20000" && uptime > 12 ? nil : "\(uptime) s"
        }
        relay.move(to: next)
        try await waitUntil("it listens there", within: .seconds(20)) {
            group.count(of: " subscribed") == 2 ? nil : "not yet"
        }
        try await expire(100, "k:", on: next)
        try await waitUntilHandled(100, "k:", by: group)
        #expect(group.count(of: " gap ") == 0, "\(group.replicas[0].log)")
        await group.shutDown()
        relay.shutDown()
        await old.shutDown()
        await next.shutDown()
    }

    @Test("row 69: CONFIG renamed away, 64 databases: those of number 20 are heard, and no other is missed")
    func databasesWithoutConfig() async throws {
        var options = ServerOptions()
        options.databases = 64
        options.extra = ["rename-command CONFIG \"\""]
        let server = try await ThrowawayServer.start(options)
        let group = try await start(server.url, nodes: 1, ["--database", "20"])
        _ = try await group.leader()
        try await expire(100, "other:", on: server, database: 63)
        try await expire(100, "k:", on: server, database: 20)
        try await waitUntilHandled(100, "k:", by: group)
        try await waitUntil("the others have expired", within: .seconds(20)) {
            try await server.info("expired_keys") == "200" ? nil : "not yet"
        }
        let code = await group.replicas[0].terminate()
        #expect(code == 0)
        let account = group.replicas[0].log.split(separator: "\n").last { $0.contains("account of the term") }
        #expect(account?.contains(" lost=0") == true, "\(account ?? "")")
        #expect(account?.contains("ignored=100") == true, "\(account ?? "")")
        #expect(group.count(of: "notifications unknown") == 1 && group.count(of: "notifications missing") == 0)
        await server.shutDown()
    }

    @Test("row 69: 2000 databases: those of number 1500 are handled, and no other is missed, whether CONFIG tells")
    func databasesPastAThousand() async throws {
        for extra in [[], ["rename-command CONFIG \"\""]] {
            var options = ServerOptions()
            options.databases = 2000
            options.extra = extra
            let server = try await ThrowawayServer.start(options)
            let group = try await start(server.url, nodes: 1, ["--database", "1500"])
            _ = try await group.leader()
            try await expire(20, "other:", on: server, database: 1999)
            try await expire(20, "k:", on: server, database: 1500)
            try await waitUntilHandled(20, "k:", by: group)
            try await waitUntil("the others have expired", within: .seconds(20)) {
                try await server.info("expired_keys") == "40" ? nil : "not yet"
            }
            let code = await group.replicas[0].terminate()
            #expect(code == 0)
            let account = group.replicas[0].log.split(separator: "\n").last { $0.contains("account of the term") }
            #expect(account?.contains(" lost=0") == true, "\(account ?? "")")
            #expect(account?.contains("ignored=20") == true, "\(account ?? "")")
            await server.shutDown()
        }
    }
}

extension ThrowawayServer {
    /// A hash tag whose slot this node owns.
    func tag() async throws -> String {
        let line = try await cli("CLUSTER", "NODES").split(separator: "\n").first { $0.contains("myself") }
        let slots = (line?.split(separator: " ").dropFirst(8) ?? []).map { range in
            range.split(separator: "-").compactMap { Int($0) }
        }
        return try #require(
            (0..<100_000).lazy.map { "t\($0)" }.first { tag in
                let slot = KeySlot.of(tag)
                return slots.contains { ($0.first ?? .max) <= slot && slot <= ($0.last ?? 0) }
            })
    }
}
