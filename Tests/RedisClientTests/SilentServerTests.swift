import Foundation
import NIOCore
import NIOPosix
import RESP
import Testing
import ThrowawayRedis
import Timing

@testable import RedisClient

/// A port that takes connections and never says a word, as a frozen server's does; or that does not
/// even take them.
///
/// A client that waited for it would wait for longer than the time limit.
@Suite(.timeLimit(.minutes(1)))
struct SilentServerTests {
    private static let loops = MultiThreadedEventLoopGroup.singleton

    private static func client(
        _ address: NodeAddress, _ change: (inout ConnectionSettings) throws -> Void = { _ in }
    ) throws -> NodeClient {
        var settings = ConnectionSettings(clientName: "lapse:test")
        settings.connectTimeout = .seconds(90)
        settings.commandTimeout = .seconds(90)
        try change(&settings)
        return NodeClient(address, settings: settings, on: loops.next())
    }

    private static func client(
        _ server: any Channel, _ change: (inout ConnectionSettings) throws -> Void = { _ in }
    ) throws -> NodeClient {
        try client(NodeAddress(host: "127.0.0.1", port: try #require(server.localAddress?.port)), change)
    }

    /// A server that takes connections, and tells `heard` when a client has said something.
    private static func silentServer(heard: Doorbell) async throws -> any Channel {
        try await ServerBootstrap(group: loops).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Listening(heard))
            }
        }.bind(host: "127.0.0.1", port: 0).get()
    }

    @Test("the time a connection takes counts: progress that is written for longer than the lease costs the process")
    func theTimeoutCoversTheConnection() async throws {
        let server = try await Self.silentServer(heard: Doorbell(on: Self.loops.next()))
        let client = try Self.client(server)
        let error = await #expect(throws: RedisError.self) {
            _ = try await client.send(["PING"], timeout: .milliseconds(100))
        }
        #expect(error?.kind == .timeout)
        await client.shutDown()
        try await server.close()
    }

    @Test func aCancelledTaskWaitsNoLonger() async throws {
        let heard = Doorbell(on: Self.loops.next())
        let server = try await Self.silentServer(heard: heard)
        let client = try Self.client(server)
        let waiting = Task { try await client.send(["PING"]) }
        _ = await heard.wait()
        waiting.cancel()
        let result = await waiting.result
        #expect(throws: RedisError.self) { _ = try result.get() }
        await client.shutDown()
        try await server.close()
    }

    @Test("a subscription that is being opened is given up at once")
    func aCancelledTaskOpensNoSubscription() async throws {
        let heard = Doorbell(on: Self.loops.next())
        let server = try await Self.silentServer(heard: heard)
        var settings = ConnectionSettings(clientName: "lapse:test")
        settings.connectTimeout = .seconds(90)
        settings.commandTimeout = .seconds(90)
        let address = NodeAddress(host: "127.0.0.1", port: try #require(server.localAddress?.port))
        let opening = Task { [settings] in
            _ = try await Subscription.open(
                to: address, settings: settings, channels: ["news"], on: Self.loops.next()
            ) { _ in .failure(RedisError(.closed, node: address, "no server is to be asked")) }
        }
        _ = await heard.wait()
        opening.cancel()
        let result = await opening.result
        let error = #expect(throws: RedisError.self) { try result.get() }
        #expect(error?.kind == .closed)
        try await server.close()
    }

    @Test("shutting down gives up a greeting that nobody answers", arguments: [false, true])
    func shutDownDuringTheGreeting(encrypted: Bool) async throws {
        let heard = Doorbell(on: Self.loops.next())
        let server = try await Self.silentServer(heard: heard)
        let client = try Self.client(server) { settings in
            if encrypted { settings.tls = try TLSSettings.trustingAnyone() }
        }
        let waiting = Task { try await client.send(["PING"]) }
        _ = await heard.wait()
        try await Self.expectShutDown(client, waiting)
        try await server.close()
    }

    @Test("shutting down gives up a connection that nobody takes")
    func shutDownDuringTheConnect() async throws {
        var options = ServerOptions()
        options.extra = ["tcp-backlog 1"]
        let server = try await ThrowawayServer.start(options)
        server.freeze()
        // The kernel keeps so many for it; who comes later gets no answer.
        var waiters: [any Channel] = []
        for _ in 0..<2 {
            waiters.append(
                try await ClientBootstrap(group: Self.loops).connect(host: server.node.host, port: server.port).get())
        }
        let client = try Self.client(server.node)
        let waiting = Task { try await client.send(["PING"]) }
        try await waitUntil("the client's connect is under way", within: .seconds(30)) {
            try Self.opening(to: server.port) ? nil : "not yet"
        }
        try await Self.expectShutDown(client, waiting)
        #expect(try !Self.opening(to: server.port), "nothing of it is left")
        for waiter in waiters { try await waiter.close() }
        await server.shutDown()
    }

    private static func expectShutDown(_ client: NodeClient, _ waiting: Task<RESPValue, any Error>) async throws {
        await client.shutDown()
        let error = await #expect(throws: RedisError.self) { _ = try await waiting.value }
        #expect(error?.kind == .closed)
        #expect(error?.text == "the client is shut down")
    }

    /// Whether the kernel is still trying to connect to this port of 127.0.0.1.
    private static func opening(to port: Int) throws -> Bool {
        // To its end: the file tells no size, and comes a page at a time.
        let bytes = try FileHandle(forReadingFrom: URL(filePath: "/proc/net/tcp")).readToEnd() ?? Data()
        let table = String(decoding: bytes, as: UTF8.self)
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let remote = "0100007F:" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        return table.split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.count > 3 && words[2] == remote && words[3] == "02"  // SYN_SENT
        }
    }
}

/// Rings when it hears anything, and says nothing.
private final class Listening: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let heard: Doorbell

    init(_ heard: Doorbell) { self.heard = heard }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { heard.ring() }
}
