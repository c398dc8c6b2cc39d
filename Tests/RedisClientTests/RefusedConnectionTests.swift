import Endpoints
import Foundation
import NIOCore
import NIOPosix
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

/// What a server says before it hangs up is why.
extension RedisClientServerTests {
    /// A port that says this to each client that connects, and hangs up.
    private static func withPort(
        saying greeting: String?, _ body: (NodeAddress) async throws -> Void
    ) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let greeting { try channel.pipeline.syncOperations.addHandler(HangingUp(greeting)) }
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let address = NodeAddress(host: "127.0.0.1", port: try #require(channel.localAddress?.port))
        try await body(address)
        try await channel.close()
    }

    private static func refusal(at address: NodeAddress) async throws -> RedisError {
        let client = client(address, settings { $0.connectTimeout = .milliseconds(400) })
        let error = await #expect(throws: RedisError.self) { _ = try await client.send(["PING"]) }
        await client.shutDown()
        let found = try #require(error)
        for word in ["NIO", "errno", "read(", "ChannelError", "IOError"] {
            #expect(!found.description.contains(word), "\(found)")
        }
        return found
    }

    @Test(arguments: [
        ("-ERR max number of clients reached\r\n", "ERR max number of clients reached", RedisError.Kind.closed),
        (
            "-DENIED Redis is running in protected mode because protected mode is enabled. And so on.\r\n",
            "protected-mode", .denied
        ),
        ("-ERR proxy: no backend for you\r\n", "proxy: no backend for you", .closed),
    ])
    func theLineBeforeTheEndIsTheReason(line: String, says: String, kind: RedisError.Kind) async throws {
        try await Self.withPort(saying: line) { address in
            let error = try await Self.refusal(at: address)
            #expect(error.text.contains(says), "\(error)")
            #expect(error.kind == kind)
        }
    }

    @Test func anHTTPServerIsRecognised() async throws {
        try await Self.withPort(saying: "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n") { address in
            let error = try await Self.refusal(at: address)
            #expect(error.text.contains("HTTP/1.1 400 Bad Request (an HTTP server)"), "\(error)")
        }
    }

    @Test func aSilentServerIsSaidToBeSilent() async throws {
        try await Self.withPort(saying: nil) { address in
            let error = try await Self.refusal(at: address)
            #expect(error.text.contains("takes the connection and answers nothing"), "\(error)")
        }
    }

    /// A server that lets everybody in is told no password.
    @Test func anOpenSentinelGetsNoPassword() async throws {
        try await Self.withServer { server in
            let settings = Self.settings {
                $0.credentials = Credentials("alice", "pa55word")
                $0.mayBeOpen = true
            }
            let client = Self.client(server.node, settings)
            let statistics = try await client.text("INFO", "commandstats")
            #expect(statistics?.contains("cmdstat_ping") == true)
            #expect(statistics?.contains("cmdstat_auth") == false, "\(statistics ?? "")")
            await client.shutDown()
        }
    }

    @Test func aSentinelThatAsksGetsItsPassword() async throws {
        try await Self.withServer {
            $0.password = "right"
        } _: { server in
            let settings = Self.settings {
                $0.credentials = Credentials(nil, "right")
                $0.mayBeOpen = true
            }
            let client = Self.client(server.node, settings)
            let reply = try await client.text("PING")
            #expect(reply == "PONG")
            await client.shutDown()
        }
    }

    /// A TLS server of ten years ago.
    @Test func olderThanTLS12IsRefusedWithTheVersion() async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        try await Self.withServer {
            $0.tls = certificates.tls()
            $0.extra = ["tls-protocols TLSv1.1", "tls-ciphers DEFAULT:@SECLEVEL=0"]
        } _: { server in
            let tls = try TLSSettings(
                TLSFiles(authority: certificates.authority.certificate.path))
            let error = try await Self.refusal(server, Self.settings { $0.tls = tls })
            #expect(error.kind == .tls && error.text.contains("neither TLS 1.2 nor TLS 1.3"), "\(error)")
        }
    }

    @Test func aCertificateMayBearOneNameForAllServers() async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        try await Self.withServer {
            $0.tls = certificates.tls(certificates.wrongName)
        } _: { server in
            let tls = try TLSSettings(
                TLSFiles(authority: certificates.authority.certificate.path), serverName: "elsewhere.example")
            let client = Self.client(server.node, Self.settings { $0.tls = tls })
            let reply = try await client.text("PING")
            #expect(reply == "PONG")
            await client.shutDown()
        }
    }
}

private final class HangingUp: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let greeting: String

    init(_ greeting: String) { self.greeting = greeting }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: greeting))).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
