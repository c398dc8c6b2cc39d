import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

/// One cluster for a whole story: building it takes longer than each chapter.
extension RedisClientServerTests {
    static func withCluster(
        _ change: (inout ClusterOptions) -> Void = { _ in },
        _ body: (ThrowawayCluster, Deployed) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        change(&options)
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let deployed = try await Deployed.start(RedisSeeds(addresses: [cluster.nodes[0].node]))
            do {
                try await body(cluster, deployed)
            } catch {
                await deployed.stop()
                throw error
            }
            await deployed.stop()
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    @Test func followsASlotOnItsWay() async throws {
        try await Self.withCluster {
            $0.replicasPerMaster = 0
        } _: { cluster, deployed in
            let client = deployed.client
            let slot = KeySlot.of("{tag}")
            let source = try await cluster.node(owningSlot: slot)
            let target = try #require(try await cluster.masters().first { $0 !== source })
            #expect(deployed.watch.current?.mode == .cluster)
            #expect(client.node(for: "{tag}1") == source.node)
            _ = try await client.text("{tag}1", "SET", "{tag}1", "one")
            _ = try await client.text("{tag}2", "SET", "{tag}2", "two")

            // Half-way: {tag}2 has gone ahead, and a script with both keys can run nowhere.
            let sourceID = try await source.cli("CLUSTER", "MYID")
            let targetID = try await target.cli("CLUSTER", "MYID")
            try await target.cli("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", sourceID)
            try await source.cli("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", targetID)
            try await source.cli("MIGRATE", target.host, "\(target.port)", "{tag}2", "0", "5000")
            let ahead = try await client.text("{tag}2", "GET", "{tag}2")
            #expect(ahead == "two", "by ASK")
            let behind = try await client.text("{tag}1", "GET", "{tag}1")
            #expect(behind == "one")
            let both = Script("return redis.call('GET', KEYS[1]) .. redis.call('GET', KEYS[2])")
            let split = await #expect(throws: RedisError.self) {
                _ = try await client.run(both, keys: ["{tag}1", "{tag}2"], timeout: .milliseconds(300))
            }
            // The last try may have had no time left for its answer.
            let isEnd = split.map { $0.text.hasPrefix("TRYAGAIN") || $0.kind == .timeout }
            #expect(isEnd == true, "\(String(describing: split))")
            let one = Script("return redis.call('GET', KEYS[1])")
            for _ in 0..<2 {
                let scripted = try await client.run(one, keys: ["{tag}2"])
                #expect(scripted.string == "two", "by ASK, in full and by its digest")
            }

            try await source.cli("MIGRATE", target.host, "\(target.port)", "{tag}1", "0", "5000")
            for node in [target, source] { try await node.cli("CLUSTER", "SETSLOT", "\(slot)", "NODE", targetID) }
            let joined = try await client.run(both, keys: ["{tag}1", "{tag}2"])
            #expect(joined.string == "onetwo", "by MOVED")
            try await deployed.wait("the move is seen") { $0.owner(of: UInt16(slot))?.address == target.node }

            try await target.cli("SCRIPT", "FLUSH")
            let again = try await client.run(both, keys: ["{tag}1", "{tag}2"])
            #expect(again.string == "onetwo", "by NOSCRIPT")

            // A move that was broken off: each names the other, until it is mended.
            let torn = KeySlot.of("torn")
            let owner = try await cluster.node(owningSlot: torn)
            let others = try await cluster.masters().filter { $0 !== owner }
            let ids = [try await others[0].cli("CLUSTER", "MYID"), try await owner.cli("CLUSTER", "MYID")]
            try await owner.cli("CLUSTER", "SETSLOT", "\(torn)", "NODE", ids[0])
            func redirections() async throws -> Int {
                let stats = try await owner.cli("INFO", "errorstats").split(whereSeparator: \.isNewline)
                let line = stats.first { $0.hasPrefix("errorstat_MOVED:count=") }
                return line?.split(separator: "=").last.flatMap { Int($0) } ?? 0
            }
            let before = try await redirections()
            // Awaited below.
            let asking = Task { try await client.text("torn", "SET", "torn", "v") }
            try await waitUntil("it is sent to and fro", within: .seconds(8)) {
                try await redirections() >= before + 3 ? nil : "not yet"
            }
            try await owner.cli("CLUSTER", "SETSLOT", "\(torn)", "NODE", ids[1])
            let mended = try await asking.value
            #expect(mended == "OK", "they are asked until they agree")

            let added = try await cluster.addNode()
            try await deployed.wait("the new node is seen") { $0.node(at: added.node) != nil }
            try await cluster.moveSlots(count: 10, from: source, to: added)
            try await deployed.wait("it owns slots") { $0.node(at: added.node)?.slotCount == 10 }
        }
    }

    @Test func outlivesFailovers() async throws {
        try await Self.withCluster {
            $0.nodeTimeout = .seconds(1)
        } _: { cluster, deployed in
            let client = deployed.client
            let master = try await cluster.node(owningSlot: 0)
            let heir = try #require(try await cluster.replicas(of: master).first)
            try await deployed.wait("all six are seen") { $0.nodes.count == 6 && $0.masters.count == 3 }
            #expect(deployed.watch.current?.node(at: heir.node)?.role == .replica)
            let key = try #require((0...).lazy.map { "key\($0)" }.first { KeySlot.of($0) < 5_000 })

            try await cluster.failover(heir)
            // Redis 6.2 keeps writes waiting past a failover, for the whole of its pause: the connection is given
            // up, and whether the write was done is for the caller to find out.
            func write(_ value: String) async throws -> String? {
                var reply: String?
                try await waitUntil("a write is answered", within: .seconds(20)) {
                    do {
                        reply = try await client.text(key, "SET", key, value, timeout: .seconds(20))
                        return nil
                    } catch let error as RedisError where error.kind == .timeout {
                        return "\(error)"
                    }
                }
                return reply
            }
            let graceful = try await write("graceful")
            #expect(graceful == "OK", "by MOVED or READONLY")
            try await deployed.wait("the promotion is seen") { $0.owner(of: 0)?.address == heir.node }
            try await deployed.wait("the demotion is seen") { $0.node(at: master.node)?.role == .replica }

            try await cluster.waitUntilHealthy()
            await heir.kill()
            let killed = try await write("killed")
            #expect(killed == "OK")
            try await deployed.wait("the first is back in its place") { $0.owner(of: 0)?.address == master.node }
            try await deployed.wait("the dead one is failing") {
                $0.node(at: heir.node).map { $0.isFailing && $0.slotCount == 0 } ?? true
            }
            try await heir.start()
            try await deployed.wait("it is back as a replica") {
                $0.node(at: heir.node).map { !$0.isFailing && $0.role == .replica } ?? false
            }
        }
    }

    @Test func aClusterWithoutAnAnswerEndsInTime() async throws {
        try await Self.withCluster {
            $0.replicasPerMaster = 0
        } _: { cluster, deployed in
            let master = try await cluster.node(owningSlot: 0)
            let key = try #require((0...).lazy.map { "key\($0)" }.first { KeySlot.of($0) < 5_000 })
            master.freeze()
            let error = await #expect(throws: RedisError.self) {
                _ = try await deployed.client.text(key, "SET", key, "v", timeout: .milliseconds(300))
            }
            #expect(error?.kind == .timeout)
            master.resume()
            let reply = try await deployed.client.text(key, "SET", key, "v")
            #expect(reply == "OK")
        }
    }
}
