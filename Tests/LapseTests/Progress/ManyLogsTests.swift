import LeaderElection
import LeaderElectionRedis
import NIOPosix
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// Progress of many logs on a real server, and of logs that are gone.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ManyLogsTests {
    private static func withServer(
        _ body: (ThrowawayServer, _ keeper: (_ id: String) -> ProgressKeeper) async throws -> Void
    ) async throws {
        let server = try await ThrowawayServer.start()
        let client = NodeClient(
            NodeAddress(host: server.host, port: server.port),
            settings: ConnectionSettings(clientName: "lapse:test:one:command"),
            on: MultiThreadedEventLoopGroup.singleton.next())
        do {
            try await body(server) { id in
                ProgressKeeper(
                    places: keys.map { .init(keys: $0, runner: SingleServer(client)) }, id: id, timeout: .seconds(5))
            }
        } catch {
            await client.shutDown()
            await server.shutDown()
            throw error
        }
        await client.shutDown()
        await server.shutDown()
    }

    private static let keys = ElectionKeys.registers(3, name: "test")

    private func progress(_ runID: String, token: UInt64 = 7, write: UInt64) -> Progress {
        Progress(
            runID: runID, node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 9), token: token, write: write,
            account: NodeAccount())
    }

    @Test("more logs than a script takes values at once: written, adopted by another epoch, and removed")
    func manyLogs() async throws {
        try await Self.withServer { _, keeper in
            let (old, new) = (FencingToken(rawValue: 7), FencingToken(rawValue: 3))
            let runIDs = (1...4_500).map { "run\($0)" }
            let leader = keeper("a")
            _ = await leader.read(fencing: old)
            let outcome = await leader.write(runIDs.map { progress($0, write: 1) }, token: old)
            #expect(outcome == .written, "\(leader.troubles)")
            let reading = try #require(await leader.read())
            #expect(reading.entries.count == 4_500 && reading["run4500"]?.cursor.through == 9)
            #expect(leader.accounts.count == 4_500)
            // The store has forgotten its tokens.
            let next = keeper("b")
            let found = try #require(await next.read(fencing: new))
            let adopted = await next.adopt(found, token: new)
            #expect(adopted == .written, "\(next.troubles)")
            let after = try #require(await next.read())
            #expect(after.entries.count == 4_500 && after.token == 3)
            await next.remove(Array(runIDs.dropLast()), token: new)
            let left = try #require(await next.read())
            #expect(left.entries.keys.sorted() == ["run4500"])
        }
    }

    @Test("row 65: a follower does not bring back at its own take-over what the leader has removed")
    func whatWasRemovedStaysAway() async throws {
        try await Self.withServer { server, keeper in
            let (old, new) = (FencingToken(rawValue: 7), FencingToken(rawValue: 8))
            let (leader, follower) = (keeper("a"), keeper("b"))
            _ = await leader.read(fencing: old)
            await leader.publish(base: 5, of: "gone")
            _ = await leader.write([progress("gone", write: 1), progress("here", write: 1)], token: old)
            _ = await follower.read()
            #expect(follower.latest.keys.sorted() == ["gone", "here"] && follower.bases == ["gone": 5])
            await leader.remove(["gone"], token: old)
            _ = await leader.write([progress("here", write: 2)], token: old)
            // Another process is listened to at that address.
            let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
            logs.log(of: "here", at: NodeAddress(host: "10.0.0.1", port: 6379)).subscriptionBegan()
            var removed = RemovedProgress(logAge: .seconds(60))
            for now in [Duration.zero, .seconds(120)] {
                let reading = try #require(await follower.read())
                follower.forget(logs.replaced(removed.look(follower.latest, reading, now: now)))
            }
            #expect(follower.latest.keys.sorted() == ["here"] && follower.bases.isEmpty)
            let reading = try #require(await follower.read(fencing: new))
            let begin = Progress.newest([reading.entries, follower.latest])
            #expect(begin.keys.sorted() == ["here"])
            let fields = try await server.cli("HKEYS", Self.keys[0].progress)
            #expect(!fields.contains("gone"))
        }
    }

    @Test("what a majority of the registers has lost is told once for each read, for the leader to write again")
    func whatRegistersLost() async throws {
        try await Self.withServer { server, keeper in
            let token = FencingToken(rawValue: 7)
            let leader = keeper("a")
            _ = await leader.read(fencing: token)
            _ = await leader.write([progress("quiet", write: 1), progress("busy", write: 1)], token: token)
            _ = await leader.read()
            #expect(leader.takeLacked().isEmpty)
            try await server.cli("HDEL", Self.keys[0].progress, "log:quiet")
            _ = await leader.read()
            #expect(leader.takeLacked().isEmpty, "two of three hold it")
            try await server.cli("HDEL", Self.keys[2].progress, "log:quiet")
            _ = await leader.read()
            #expect(leader.takeLacked() == ["quiet"])
            #expect(leader.takeLacked().isEmpty)
            _ = await leader.write([progress("quiet", write: 2)], token: token)
            _ = await leader.read()
            #expect(leader.takeLacked().isEmpty)
        }
    }
}
