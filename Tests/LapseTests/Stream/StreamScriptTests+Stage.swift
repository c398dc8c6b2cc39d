import ExpirationStream
import LeaderElectionRedis
import NIOCore
import NIOPosix
import RESP
import RedisClient
import ThrowawayRedis

@testable import Lapse

/// What these tests run the script on, and what they append.
extension StreamScriptTests {
    static let writer = StreamAppend.Writer(store: "redis", token: 7, epoch: 0)

    /// A stream of one partition on a server of its own.
    struct Stage: Sendable {
        let server: ThrowawayServer
        let client: NodeClient
        var runner: SingleServer { SingleServer(client) }
        let keys: StreamKeys

        func append(
            _ items: [Expiration], _ writer: StreamAppend.Writer = StreamScriptTests.writer, known: UInt64 = 0,
            limit: Int = 0
        ) async throws -> StreamAppend.Outcome? {
            let reply = try await send(items, writer, known: known, limit: limit)
            if case .error(let error) = reply { throw error }
            return StreamAppend.outcome(reply, of: items.count)
        }

        func send(
            _ items: [Expiration], _ writer: StreamAppend.Writer, known: UInt64, limit: Int
        ) async throws -> RESPValue {
            let names = [keys.key, keys.writer(of: 0), keys.cursor(of: 0, runID: "run")]
            let commands = StreamScripts.append.commands(
                keys: names.map { Array($0.utf8) },
                arguments: StreamAppend.arguments(writer, known: known, limit: limit), rest: StreamEntries(items).words,
                inFull: true)
            return try await client.send(commands).last ?? .null
        }

        func answer(_ items: [Expiration], limit: Int = 0) async throws -> StreamAppend.Answer {
            guard case .done(let answer) = try await append(items, limit: limit) else {
                throw ThrowawayRedisError("the script does not answer as it should")
            }
            return answer
        }

        func upkeep(known: UInt64 = 0) async throws -> StreamAppend.Outcome? {
            let reply = try await runner.run(
                StreamScripts.upkeep, keys: [keys.key, keys.writer(of: 0)],
                arguments: StreamAppend.upkeep(StreamScriptTests.writer, known: known), timeout: .seconds(5))
            return StreamAppend.outcome(reply, of: 0)
        }

        /// What a group has not acknowledged, or may yet read.
        func left() async throws -> Int64? {
            try await runner.run(
                StreamScripts.left, keys: [keys.key], arguments: [], timeout: .seconds(5)
            ).int
        }
    }

    static func withStage(_ body: (Stage) async throws -> Void) async throws {
        let server = try await ThrowawayServer.start()
        let client = NodeClient(
            NodeAddress(host: server.host, port: server.port),
            settings: ConnectionSettings(clientName: "lapse:test:one:stream"),
            on: MultiThreadedEventLoopGroup.singleton.next())
        do {
            try await body(Stage(server: server, client: client, keys: try StreamKeys("s")))
        } catch {
            await client.shutDown()
            await server.shutDown()
            throw error
        }
        await client.shutDown()
        await server.shutDown()
    }

    static func item(_ ordinal: UInt64, _ key: String? = nil) -> Expiration {
        Expiration(
            key: ExpirationKey(key ?? "k:\(ordinal)"), node: "10.0.0.1:6379",
            position: Position(runID: ordinal == 0 ? "" : "run", ordinal: ordinal),
            origin: ordinal == 0 ? .reconcile : .live)
    }

    /// Heard together: the deadline of the third one is not known.
    static func withDeadlines(from ordinal: UInt64, _ process: NodeProcess) -> [Expiration] {
        let deadlines = [(1_000, 3), (2_000, 0), (0, 0), (4_000, 7)].map { KnownDeadline(milliseconds: $0, lag: $1) }
        let origin = LogChunk.Origin(
            database: 0, number: ordinal, isNumbered: true, now: 5_000, provenance: .vouched, hasDeadlines: true)
        var chunk = LogChunk(for: origin)
        let keys = Array("klmn".utf8)
        // Unsafe in name only: a byte has no padding.
        _ = chunk.take(
            unsafe keys.span.bytes, from: 0, 0..<4, within: 4, origin, deadlines: deadlines.map { $0 ?? .none }
        ) { _ in 1 }
        let slice = LogSlice(chunk, of: process, since: 0)
        return (0..<4).map { Expiration(slice, $0) }
    }
}
