import Endpoints
import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RESP
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// Progress on a real server, where writes may come late.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ProgressKeeperTests {
    static func withKeeper(_ body: (ProgressKeeper) async throws -> Void) async throws {
        let server = try await ThrowawayServer.start()
        let client = NodeClient(
            NodeAddress(host: server.host, port: server.port),
            settings: ConnectionSettings(clientName: "lapse:test:one:command"),
            on: MultiThreadedEventLoopGroup.singleton.next())
        let place = ProgressKeeper.Place(
            keys: ElectionKeys.registers(1, name: "test")[0], runner: SingleServer(client))
        do {
            try await body(ProgressKeeper(places: [place], id: "a", timeout: .seconds(5)))
        } catch {
            await client.shutDown()
            await server.shutDown()
            throw error
        }
        await client.shutDown()
        await server.shutDown()
    }

    func progress(_ through: UInt64, token: UInt64, write: UInt64) -> Progress {
        Progress(
            runID: "run", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: through), token: token, write: write)
    }

    @Test("a write that was given up for lost and comes late does not take back what a later one said")
    func aLateWriteOfTheSameTerm() async throws {
        try await Self.withKeeper { keeper in
            let token = FencingToken(rawValue: 7)
            for (through, write) in [(5, 1), (9, 2), (5, 1)] as [(UInt64, UInt64)] {
                let outcome = await keeper.write([progress(through, token: 7, write: write)], token: token)
                #expect(outcome == .written)
            }
            let read = try #require(await keeper.read())
            #expect(read["run"]?.cursor.through == 9)
        }
    }

    @Test("what a term reads at its beginning stays so until it writes itself: its predecessor is shut out")
    func aLateWriteOfTheTermBefore() async throws {
        try await Self.withKeeper { keeper in
            let old = FencingToken(rawValue: 7)
            let new = FencingToken(rawValue: 8)
            _ = await keeper.write([progress(5, token: 7, write: 40)], token: old)
            let first = try #require(await keeper.read(fencing: new))
            #expect(first["run"]?.cursor.through == 5)
            let late = await keeper.write([progress(9, token: 7, write: 41)], token: old)
            #expect(late == .fenced)
            // The new term counts its writes anew.
            let own = await keeper.write([progress(6, token: 8, write: 1)], token: new)
            #expect(own == .written)
            let second = try #require(await keeper.read())
            #expect(second["run"]?.cursor.through == 6)
        }
    }

    @Test func aTermThatIsOverDoesNotShutOutItsSuccessor() async throws {
        try await Self.withKeeper { keeper in
            let new = FencingToken(rawValue: 8)
            _ = await keeper.write([progress(5, token: 8, write: 3)], token: new)
            _ = await keeper.read(fencing: FencingToken(rawValue: 7))
            let outcome = await keeper.write([progress(6, token: 8, write: 4)], token: new)
            #expect(outcome == .written)
        }
    }

    @Test("a replica that leaves says so, and takes it back with its presence; what cannot be true counts for nothing")
    func oneThatLeaves() async throws {
        try await Self.withKeeper { keeper in
            _ = await keeper.read()
            #expect(keeper.peers == ["a"] && keeper.leaving.isEmpty)
            await keeper.sayThatItLeaves()
            let word = try #require(await keeper.read())
            #expect(keeper.leaving == ["a"] && word.entries.isEmpty)
            let place = keeper.places[0]
            let future = Script(
                "return redis.call('HSET', KEYS[1], 'leaving:b', 'v1 99999999999', 'leaving:c', 'v1 5')")
            _ = try await place.runner.run(future, keys: [place.keys.progress], arguments: [], timeout: .seconds(5))
            _ = await keeper.read()
            #expect(keeper.leaving == ["a"], "neither the one of the future nor that of long ago")
            await keeper.sayThatItLeaves()
            let all = Script("return redis.call('HEXISTS', KEYS[1], 'leaving:c')")
            let old = try await place.runner.run(all, keys: [place.keys.progress], arguments: [], timeout: .seconds(5))
            #expect(old.int == 0, "dropped by the next one that leaves")
            await keeper.leave()
            let after = Script("return redis.call('HEXISTS', KEYS[1], 'leaving:a')")
            let left = try await place.runner.run(
                after, keys: [place.keys.progress], arguments: [], timeout: .seconds(5))
            #expect(left.int == 0)
        }
    }

    // MARK: - Rights and stores

    private static func withServer(
        _ options: ServerOptions = ServerOptions(),
        _ body: (
            ThrowawayServer, _ keeper: (_ id: String, _ store: String?, _ registers: ClosedRange<Int>) -> ProgressKeeper
        )
            async throws -> Void
    ) async throws {
        let server = try await ThrowawayServer.start(options)
        let client = NodeClient(
            NodeAddress(host: server.host, port: server.port),
            settings: ConnectionSettings(
                clientName: "lapse:test:one:command",
                credentials: options.users.isEmpty ? nil : Credentials(user: "lapse", password: Secret("pw"))),
            on: MultiThreadedEventLoopGroup.singleton.next())
        let keys = ElectionKeys.registers(3, name: "test")
        do {
            try await body(server) { id, store, registers in
                ProgressKeeper(
                    places: registers.map { .init(keys: keys[$0], runner: SingleServer(client)) }, id: id,
                    guardedBy: store, timeout: .seconds(5))
            }
        } catch {
            await client.shutDown()
            await server.shutDown()
            throw error
        }
        await client.shutDown()
        await server.shutDown()
    }

    @Test("row 52: reading needs no right to write; what cannot be written in passing is told")
    func readingWithoutRights() async throws {
        var options = ServerOptions()
        options.users = ["user lapse on >pw ~* &* +@all -zadd -hset"]
        try await Self.withServer(options) { server, keeper in
            try await server.cli(
                "HSET", ElectionKeys.registers(3, name: "test")[0].progress, "log:run", "7 1 9 0 n -", "token", "7")
            let one = keeper("a", nil, 0...0)
            let reading = try #require(await one.read(fencing: FencingToken(rawValue: 8)))
            #expect(reading["run"]?.cursor.through == 9)
            #expect(one.troubles.reading == nil)
            #expect(one.troubles.presence?.text.contains("can't run this command") == true, "\(one.troubles)")
            let outcome = await one.write([progress(10, token: 8, write: 1)], token: FencingToken(rawValue: 8))
            #expect(outcome == .failed)
            #expect(one.troubles.writing?.isRefusal == true)
        }
    }

    @Test("row 52: why progress cannot be read is kept in Redis' own words")
    func unreadable() async throws {
        var options = ServerOptions()
        options.users = ["user lapse on >pw ~* &* +@all -hgetall"]
        try await Self.withServer(options) { server, keeper in
            let one = keeper("a", nil, 0...0)
            let reading = await one.read()
            #expect(reading == nil)
            let trouble = try #require(one.troubles.reading)
            #expect(trouble.text.hasPrefix("\(server.address): "))
            #expect(trouble.text.contains("can't run this command") && trouble.isRefusal && trouble.isForbidden)
            #expect(trouble.register.hasSuffix(":test:progress"))
        }
    }

    @Test("row 111: the cursors are kept when the lease moves, also by a register that was away meanwhile")
    func theLeaseMoves() async throws {
        try await Self.withServer { _, keeper in
            let (old, new) = (FencingToken(rawValue: 1_764_000_000_000), FencingToken(rawValue: 12))
            let first = keeper("a", nil, 0...2)
            _ = await first.read(fencing: old)
            _ = await first.write([progress(500, token: old.rawValue, write: 9)], token: old)
            // Two of three registers see the move.
            let moved = keeper("a", "etcd:/x", 0...1)
            let reading = try #require(await moved.read(fencing: new))
            let contradiction = reading.contradiction(of: new.rawValue, store: moved.store)
            #expect(contradiction == .moved(from: "redis"))
            let adopted = await moved.adopt(reading, token: new)
            #expect(adopted == .written)
            #expect(moved.latest["run"]?.cursor.through == 500)
            let wrote = await moved.write([progress(510, token: 12, write: 1)], token: new)
            #expect(wrote == .written)
            // The follower's reading finds the third one as it was.
            let follower = keeper("b", "etcd:/x", 0...2)
            let second = try #require(await follower.read())
            #expect(second["run"]?.cursor.through == 510)
            #expect(second.contradiction(of: 13, store: "etcd:/x") == nil)
            // The next term brings it all of the progress.
            let next = FencingToken(rawValue: 13)
            _ = await follower.read(fencing: next)
            let brought = await follower.write([progress(520, token: 13, write: 1)], token: next)
            #expect(brought == .written)
            let third = keeper("c", "etcd:/x", 2...2)
            let alone = try #require(await third.read())
            #expect(alone["run"]?.cursor.through == 520 && alone.origin?.epoch == 1)
            // And the old store's leader is shut out.
            let late = await first.write([progress(600, token: old.rawValue, write: 10)], token: old)
            #expect(late == .fenced)
        }
    }

    @Test("row 111: a store that has forgotten its tokens begins an epoch: its leaders can write")
    func theStoreWasWiped() async throws {
        try await Self.withServer { _, keeper in
            let (old, new) = (FencingToken(rawValue: 900), FencingToken(rawValue: 3))
            let first = keeper("a", "etcd:/x", 0...0)
            _ = await first.read(fencing: old)
            _ = await first.write([progress(500, token: 900, write: 9)], token: old)
            let second = keeper("b", "etcd:/x", 0...0)
            let reading = try #require(await second.read(fencing: new))
            #expect(reading.contradiction(of: 3, store: "etcd:/x") == .forgotten(token: 900))
            let refused = await second.write([progress(501, token: 3, write: 1)], token: new)
            #expect(refused == .fenced)
            _ = await second.adopt(reading, token: new)
            let wrote = await second.write([progress(501, token: 3, write: 1)], token: new)
            #expect(wrote == .written)
            let later = try #require(await second.read(fencing: FencingToken(rawValue: 4)))
            #expect(later.contradiction(of: 4, store: "etcd:/x") == nil)
            #expect(later["run"]?.cursor.through == 501)
        }
    }

    @Test("row 111: what a leader said of its logs before the epoch began says nothing of this one's")
    func wholenessOfAnEpoch() async throws {
        try await Self.withServer { _, keeper in
            let (all, two) = (keeper("a", nil, 0...2), keeper("b", nil, 0...1))
            _ = await all.read(fencing: FencingToken(rawValue: 100))
            _ = await all.write(Wholeness(token: 100, isWhole: true))
            let reading = try #require(await two.read(fencing: FencingToken(rawValue: 3)))
            #expect(two.latestWholeness?.token == 100)
            _ = await two.adopt(reading, token: FencingToken(rawValue: 3))
            #expect(two.latestWholeness == nil)
            for one in [two, all, keeper("c", nil, 0...2)] {
                _ = await one.read()
                #expect(one.latestWholeness == nil, "the third register was away, and says what it knew")
            }
            _ = await two.write(Wholeness(token: 3, isWhole: true))
            _ = await all.read()
            #expect(all.latestWholeness == Wholeness(token: 3, isWhole: true))
        }
    }

    @Test("row 116: what one replica adds to a counter the others learn, and it never falls")
    func bases() async throws {
        try await Self.withServer { _, keeper in
            let (one, other) = (keeper("a", nil, 0...2), keeper("b", nil, 0...2))
            await one.publish(base: 100, of: "run")
            await one.publish(base: 0, of: "silent")
            _ = await other.read()
            #expect(other.base(of: "run") == 100 && other.bases == ["run": 100])
            await keeper("c", nil, 0...2).publish(base: 40, of: "run")
            _ = await other.read()
            #expect(other.base(of: "run") == 100)
            await one.remove(["run"], token: FencingToken(rawValue: 1))
            let fresh = keeper("d", nil, 0...2)
            _ = await fresh.read()
            #expect(fresh.bases.isEmpty)
        }
    }

    @Test func aBaseThatCannotBeTrueIsWrittenOver() async throws {
        try await Self.withServer { server, keeper in
            let key = ElectionKeys.registers(3, name: "test")[0].progress
            try await server.cli("HSET", key, "base:run", "v1 9007199254740991")
            await keeper("a", nil, 0...0).publish(base: 100, of: "run")
            #expect(try await server.cli("HGET", key, "base:run") == "v1 100")
        }
    }

    @Test("row 86: the last build's script and this one's write for each other")
    func theBuildBefore() async throws {
        try await Self.withServer { server, keeper in
            let key = ElectionKeys.registers(3, name: "test")[0].progress
            let one = keeper("a", nil, 0...0)
            _ = await one.read(fencing: FencingToken(rawValue: 7))
            _ = await one.write([progress(9, token: 7, write: 1)], token: FencingToken(rawValue: 7))
            // What the last build reads.
            #expect(try await server.cli("HGET", key, "log:run") == "7 1 9 0 10.0.0.1:6379 -")
            #expect(try await server.cli("HMGET", key, "token", "write").split(separator: "\n") == ["7", "1"])
            // What it writes as the leader after.
            let script = """
                local token = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
                if token > tonumber(ARGV[2]) then return 0 end
                redis.call('HSET', KEYS[1], unpack(ARGV))
                return 1
                """
            let old = try await server.cli(
                "EVAL", script, "1", key, "token", "8", "write", "1", "log:run", "8 1 20 0 10.0.0.1:6379 15-17")
            #expect(old == "1")
            let reading = try #require(await one.read(fencing: FencingToken(rawValue: 9)))
            #expect(reading["run"]?.cursor == Cursor(through: 20, pending: [15, 16, 17]))
            #expect(reading.contradiction(of: 9, store: one.store) == nil)
        }
    }
}
