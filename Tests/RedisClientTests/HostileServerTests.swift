import NIOCore
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

/// Fault 46: what is no Redis is told so and left, and costs neither a crash nor memory.
extension RedisClientServerTests {
    /// Lets the handshake (SETNAME, PING) pass.
    private static func greet(_ number: Int) -> String? { number < 2 ? "+OK\r\n" : nil }

    static let garbage = [
        "HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n", "bulk": "$99999999999\r\n", "array": "*99999999\r\n",
        "binary": "\u{0}\u{1}\u{2}\r\n", "integer": ":12x\r\n", "length": "$-5\r\n",
        "nesting": String(repeating: "*1\r\n", count: 100),
    ]

    @Test(arguments: garbage.keys.sorted())
    func garbageClosesTheConnection(_ kind: String) async throws {
        let garbage = try #require(Self.garbage[kind])
        let server = try await ScriptedServer.start { number in Self.greet(number) ?? garbage }
        let connection = try await Self.connect(server.node)
        let error = await #expect(throws: RedisError.self) { _ = try await connection.send([["GET", "k"]]).get() }
        #expect(error?.kind == .protocolViolation)
        #expect(error?.description.contains("\(server.node): not a Redis reply") == true)
        try await connection.closed.get()
        try await server.stop()
    }

    @Test func garbageInsteadOfAGreetingIsNoLogin() async throws {
        let server = try await ScriptedServer.start { _ in "SSH-2.0-OpenSSH_9.2\r\n" }
        let client = Self.client(server.node)
        let error = await #expect(throws: RedisError.self) { _ = try await client.send(["PING"]) }
        #expect(error?.kind == .protocolViolation)
        await client.shutDown()
        try await server.stop()
    }

    @Test func aReplyLargerThanAgreedIsRefused() async throws {
        try await Self.withServer { server in
            try await server.cli("SETRANGE", "k", "2000000", "x")
            try await server.cli("SET", "text", String(repeating: "x", count: 90_000))
            let client = Self.client(server.node, Self.settings { $0.replyBytes = 1 << 20 })
            let error = await #expect(throws: RedisError.self) { _ = try await client.send(["MGET", "text", "k"]) }
            #expect(error?.kind == .protocolViolation)
            #expect(error?.text.contains("xxxx") == false, "what lies in it is the users'")
            let next = try await client.text("STRLEN", "k")
            #expect(next == "2000001", "on a new connection")
            await client.shutDown()
        }
    }

    /// It answers the first command late and falls silent with the second one unanswered.
    @Test func aServerThatFallsSilentAgainIsGivenUp() async throws {
        let server = try await ScriptedServer.start { number in
            switch number {
            case 2, 3: nil
            case 4: "+late\r\n"
            default: Self.greet(number)
            }
        }
        let connection = try await Self.connect(server.node)
        for word in ["first", "second", "third"] {
            await #expect(throws: RedisError.self) {
                _ = try await connection.send([["ECHO", word]], timeout: .milliseconds(300)).get()
            }
        }
        // "late" has answered the first; from here on nothing comes, and the second stands in front.
        let ending = connection.closed.map { true }
        while connection.isActive {
            _ = try? await connection.send([["ECHO", "more"]], timeout: .milliseconds(100)).get()
        }
        let isClosed = try await ending.get()
        #expect(isClosed)
        try await server.stop()
    }

    @Test func aServerThatHangsUpFailsWhatIsWaiting() async throws {
        try await Self.withServer { server in
            let connection = try await Self.connect(server.node)
            let waiting = connection.send([["BLPOP", "nothing", "0"]], timeout: .seconds(30))
            try await waitUntil("it waits", within: .seconds(5)) {
                try await server.info("blocked_clients") == "1" ? nil : "not yet"
            }
            try await server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            let error = await #expect(throws: RedisError.self) { _ = try await waiting.get() }
            #expect(error?.kind == .closed)
        }
    }
}
