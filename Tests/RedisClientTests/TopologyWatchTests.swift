import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

extension RedisClientServerTests {
    @Test func findsTheReplicasOfASingleRedis() async throws {
        try await Self.withServer { master in
            try await Self.withServer {
                $0.extra = ["replicaof \(master.host) \(master.port)"]
            } _: { replica in
                for seed in [master, replica] {
                    let deployed = try await Deployed.start(RedisSeeds(addresses: [seed.node]))
                    try await deployed.wait("both are seen") {
                        $0.mode == .standalone && $0.node(at: master.node)?.role == .master
                            && $0.node(at: replica.node)?.role == .replica && $0.nodes.allSatisfy { !$0.isFailing }
                    }
                    let reply = try await deployed.client.text("k", "SET", "k", "v")
                    #expect(reply == "OK", "the master, whichever is named")
                    await deployed.stop()
                }
            }
        }
    }

    /// Fault 49: a replica that is down at the start comes back later.
    @Test func meetsAReplicaThatWasDownAtTheStart() async throws {
        try await Self.withServer { master in
            try await Self.withServer {
                $0.extra = ["replicaof \(master.host) \(master.port)"]
            } _: { replica in
                await replica.kill()
                let deployed = try await Deployed.start(RedisSeeds(addresses: [master.node]))
                try await deployed.wait("the master is alone") { $0.nodes.map(\.address) == [master.node] }
                try await replica.start()
                try await deployed.wait("the replica is seen") { $0.node(at: replica.node)?.isFailing == false }
                await replica.kill()
                try await deployed.wait("it is gone, or failing") { $0.node(at: replica.node)?.isFailing ?? true }
                await deployed.stop()
            }
        }
    }

    @Test func refusesASentinelAndNobodyAtAll() async throws {
        let nobody = await #expect(throws: RedisError.self) {
            _ = try await Deployed.start(RedisSeeds(addresses: [NodeAddress(host: "127.0.0.1", port: 9)]))
        }
        #expect(nobody?.kind == .unreachable)
        let none = await #expect(throws: RedisError.self) { _ = try await Deployed.start(RedisSeeds(addresses: [])) }
        #expect(none?.kind == .noNode)
    }

    @Test func oneSeedThatAnswersSuffices() async throws {
        try await Self.withServer { server in
            let dead = NodeAddress(host: "127.0.0.1", port: 9)
            let deployed = try await Deployed.start(RedisSeeds(addresses: [dead, server.node]))
            #expect(deployed.watch.current?.masters.map(\.address) == [server.node])
            await deployed.stop()
        }
    }

    @Test func aRefreshAfterTheEndDoesNotWait() async throws {
        try await Self.withServer { server in
            let deployed = try await Deployed.start(RedisSeeds(addresses: [server.node]))
            let poll = await deployed.watch.refresh()
            #expect(poll?.topology.masters.count == 1)
            #expect(poll?.settles(server.node) == true)
            await deployed.stop()
            let late = await deployed.watch.refresh()
            #expect(late == nil)
        }
    }

    @Test func followsASentinelGroup() async throws {
        let group = try await ThrowawaySentinel.start()
        do {
            let sentinels = group.sentinels.map(\.node)
            let misled = await #expect(throws: RedisError.self) {
                _ = try await Deployed.start(RedisSeeds(addresses: sentinels))
            }
            #expect(misled?.text.contains("redis+sentinel://") == true)
            var seeds = RedisSeeds(addresses: sentinels, mode: .sentinel)
            seeds.masterName = "nobody"
            await #expect(throws: RedisError.self) { _ = try await Deployed.start(seeds) }

            seeds.masterName = group.options.name
            let deployed = try await Deployed.start(seeds)
            let former = try await group.master()
            try await deployed.wait("both are seen") {
                $0.mode == .sentinel && $0.nodes.count == 2 && $0.owner(of: 0)?.address == former.node
            }
            await former.kill()
            let heir = try await group.waitForPromotion(after: former)
            try await deployed.wait("the promotion is seen") { $0.owner(of: 0)?.address == heir.node }
            let reply = try await deployed.client.text("k", "SET", "k", "v")
            #expect(reply == "OK")
            await deployed.stop()
        } catch {
            await group.shutDown()
            throw error
        }
        await group.shutDown()
    }
}
