import Endpoints
import NIOCore
import NIOPosix
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

/// Real servers: one test at a time, and each ends what it starts.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct RedisClientServerTests {
    static let loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    static func settings(_ change: (inout ConnectionSettings) -> Void = { _ in }) -> ConnectionSettings {
        var settings = ConnectionSettings(clientName: "lapse:test:one:command")
        change(&settings)
        return settings
    }

    static func client(_ address: NodeAddress, _ settings: ConnectionSettings = settings()) -> NodeClient {
        NodeClient(address, settings: settings, on: loops.next())
    }

    static func connect(_ address: NodeAddress, _ settings: ConnectionSettings = settings()) async throws
        -> RedisConnection
    {
        try await RedisConnection.connect(to: address, settings: settings, on: loops.next()).get()
    }

    /// Runs `body` with a server that is gone afterwards, also when the test fails.
    static func withServer(
        _ change: (inout ServerOptions) -> Void = { _ in }, _ body: (ThrowawayServer) async throws -> Void
    ) async throws {
        var options = ServerOptions()
        change(&options)
        let server = try await ThrowawayServer.start(options)
        do {
            try await body(server)
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    /// The error that a first PING meets.
    static func refusal(
        _ server: ThrowawayServer, at address: NodeAddress? = nil, _ settings: ConnectionSettings
    ) async throws -> RedisError {
        let client = client(address ?? server.node, settings)
        let error = await #expect(throws: RedisError.self) { _ = try await client.send(["PING"]) }
        await client.shutDown()
        return try #require(error)
    }
}

extension ThrowawayServer {
    var node: NodeAddress { NodeAddress(host: host, port: port) }
}

extension Credentials {
    init(_ user: String?, _ password: String) { self.init(user: user, password: Secret(password)) }
}

extension NodeClient {
    /// One command's reply as text; an error reply is thrown.
    func text(_ words: String...) async throws -> String? {
        let reply = try await send(RESPCommand(words))
        return reply.int.map(String.init) ?? reply.string
    }
}
