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
}
