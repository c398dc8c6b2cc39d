import NIOCore
import NIOPosix
import RESP
import Testing

@testable import RedisClient

/// A port that takes connections and never says a word, as a frozen server's does.
@Suite(.timeLimit(.minutes(1)))
struct SilentServerTests {
    private static let loops = MultiThreadedEventLoopGroup.singleton

    /// Runs `body` with a client of a server that answers nothing.
    private func withClient(_ body: (NodeClient) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: Self.loops).bind(host: "127.0.0.1", port: 0).get()
        let address = NodeAddress(host: "127.0.0.1", port: try #require(server.localAddress?.port))
        let client = NodeClient(address, settings: ConnectionSettings(clientName: "lapse:test"), on: Self.loops.next())
        do {
            try await body(client)
        } catch {
            try await server.close()
            throw error
        }
        await client.shutDown()
        try await server.close()
    }

    @Test("the time a connection takes counts: progress that is written for longer than the lease costs the process")
    func theTimeoutCoversTheConnection() async throws {
        try await withClient { client in
            let began = ContinuousClock.now
            let error = await #expect(throws: RedisError.self) {
                _ = try await client.send(["PING"], timeout: .milliseconds(100))
            }
            #expect(error?.kind == .timeout)
            #expect(ContinuousClock.now - began < .seconds(20))
        }
    }

    @Test func aCancelledTaskWaitsNoLonger() async throws {
        try await withClient { client in
            let began = ContinuousClock.now
            let waiting = Task { try await client.send(["PING"]) }
            try await Task.sleep(for: .milliseconds(50))
            waiting.cancel()
            let result = await waiting.result
            #expect(throws: RedisError.self) { _ = try result.get() }
            #expect(ContinuousClock.now - began < .seconds(20))
        }
    }
}
