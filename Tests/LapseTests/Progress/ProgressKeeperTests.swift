import LeaderElection
import NIOPosix
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// Progress on a real server, where writes may come late.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ProgressKeeperTests {
    private static func withKeeper(_ body: (ProgressKeeper) async throws -> Void) async throws {
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

    private func progress(_ through: UInt64, token: UInt64, write: UInt64) -> Progress {
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
}
