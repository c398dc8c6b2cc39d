import Endpoints
import Foundation
import NIOCore
import NIOPosix
import RESP
import Synchronization
import Testing
import ThrowawayRedis

@testable import RedisClient

/// Keeps what a subscription hears.
private final class Ear: PushReceiver {
    struct Heard: Sendable {
        var messages: [(channel: String, payload: [UInt8])] = []
        var silences: [Bool] = []
        /// How many messages there were when it was said that these are all.
        var all = 0
    }

    private let heard = Mutex(Heard())

    var messages: [(channel: String, payload: [UInt8])] { heard.withLock { $0.messages } }
    var silences: [Bool] { heard.withLock { $0.silences } }

    func receive(_ batch: borrowing ReplyBatch) {
        batch.forEachPush { kind, channel, payload in
            guard kind == .message else { return }
            let message = (String(decoding: Self.copy(channel), as: UTF8.self), Self.copy(payload))
            heard.withLock { $0.messages.append(message) }
        }
    }

    var hasHeardThatTheseAreAll: Bool { heard.withLock { $0.all == $0.messages.count } }

    func receivedAll() { heard.withLock { $0.all = $0.messages.count } }

    func silenceChanged(_ silent: Bool) { heard.withLock { $0.silences.append(silent) } }

    private static func copy(_ span: RawSpan) -> [UInt8] { (0..<span.byteCount).map { span.byte(at: $0) } }
}

extension RedisClientServerTests {
    private static func listen(
        _ address: NodeAddress, _ channels: [String] = ["news"], _ settings: ConnectionSettings = settings()
    ) async throws -> (Subscription, Ear) {
        let ear = Ear()
        let subscription = try await Subscription.open(
            to: address, settings: settings, channels: channels, on: loops.next()
        ) { _ in .success(ear) }
        return (subscription, ear)
    }

    @Test func messagesArriveByteForByte() async throws {
        try await Self.withServer { server in
            let (subscription, ear) = try await Self.listen(server.node, ["news", "__keyevent@0__:expired"])
            let runID = try await server.info("run_id")
            #expect(subscription.runID == runID)
            let payloads: [[UInt8]] = [
                [], Array("plain".utf8), [0, 13, 10, 255], Array("two\nlines\r\n".utf8), [0xc3, 0x28],
                Array(repeating: 42, count: 300_000), Array("last".utf8),
            ]
            let client = Self.client(server.node)
            for payload in payloads {
                var command = RESPCommand("PUBLISH", "news")
                command.append(payload)
                _ = try await client.send(command)
            }
            try await waitUntil("all are heard", within: .seconds(10)) {
                ear.messages.count == payloads.count ? nil : "\(ear.messages.count)"
            }
            #expect(ear.messages.map(\.payload) == payloads)
            #expect(ear.messages.allSatisfy { $0.channel == "news" })

            // An expiration, of the empty key too.
            for key: [UInt8] in [[0xff, 10], []] {
                var command = RESPCommand("SET")
                command.append(key)
                for word in ["v", "PX", "1"] { command.append(word) }
                _ = try await client.send(command)
            }
            try await waitUntil("the keys expire", within: .seconds(10)) {
                ear.messages.count == payloads.count + 2 ? nil : "\(ear.messages.count)"
            }
            try await waitUntil("it is said that these are all", within: .seconds(10)) {
                ear.hasHeardThatTheseAreAll ? nil : "it is not"
            }
            let expired = ear.messages.suffix(2)
            #expect(expired.allSatisfy { $0.channel == "__keyevent@0__:expired" })
            #expect(Set(expired.map(\.payload)) == [[0xff, 10], []])
            #expect(ear.silences.isEmpty)
            subscription.close()
            try await subscription.closed.get()
            await client.shutDown()
        }
    }

    @Test func aFrozenNodeIsSilentAndHeardAgainOnTheSameSocket() async throws {
        try await Self.withServer { server in
            let (subscription, ear) = try await Self.listen(server.node)
            for round in 1...2 {
                server.freeze()
                try await waitUntil("the silence is noticed", within: .seconds(20)) {
                    ear.silences.count == 2 * round - 1 ? nil : "\(ear.silences)"
                }
                server.resume()
                try await waitUntil("it answers again", within: .seconds(20)) {
                    ear.silences.count == 2 * round ? nil : "\(ear.silences)"
                }
            }
            #expect(ear.silences == [true, false, true, false])
            try await server.cli("PUBLISH", "news", "on the old socket")
            try await waitUntil("it is heard", within: .seconds(5)) { ear.messages.isEmpty ? "not yet" : nil }
            #expect(ear.messages.map(\.payload) == [Array("on the old socket".utf8)])
            subscription.close()
        }
    }

    @Test func theEndOfTheServerEndsTheSubscription() async throws {
        try await Self.withServer { server in
            let (subscription, _) = try await Self.listen(server.node)
            let before = subscription.runID
            try await server.restart()
            try await subscription.closed.get()
            let (next, _) = try await Self.listen(server.node)
            #expect(next.runID != before, "a restart is another process")
            next.close()
        }
    }

    @Test(arguments: ["::1", "localhost"])
    func listensByIPv6AndByName(_ host: String) async throws {
        try await Self.withServer {
            $0.bind = ["::1", "127.0.0.1"]
        } _: { server in
            let (subscription, ear) = try await Self.listen(NodeAddress(host: host, port: server.port))
            try await server.cli("PUBLISH", "news", "hello")
            try await waitUntil("it is heard", within: .seconds(5)) { ear.messages.isEmpty ? "not yet" : nil }
            subscription.close()
        }
    }

    @Test func aChannelThatIsNotAllowedIsDenied() async throws {
        try await Self.withServer {
            $0.users = ["user bob on >pass ~* resetchannels &news +@all"]
        } _: { server in
            let settings = Self.settings { $0.credentials = Credentials("bob", "pass") }
            let error = await #expect(throws: RedisError.self) {
                _ = try await Self.listen(server.node, ["__keyevent@0__:expired"], settings)
            }
            #expect(error?.kind == .denied)
            #expect(error?.node == server.node)
            #expect(error?.text.contains("lapse doctor --acl") == true)
            let (subscription, _) = try await Self.listen(server.node, ["news"], settings)
            subscription.close()
        }
    }

    @Test func subscribesToTheChannelsOfEveryDatabase() async throws {
        try await Self.withServer { server in
            let channels = (0..<16).map { "__keyevent@\($0)__:expired" }
            let (subscription, ear) = try await Self.listen(server.node, channels)
            for database in [0, 7, 15] {
                try await server.cli("-n", "\(database)", "SET", "k\(database)", "v", "PX", "1")
            }
            try await waitUntil("the keys expire", within: .seconds(10)) {
                ear.messages.count == 3 ? nil : "\(ear.messages.count)"
            }
            #expect(Set(ear.messages.map(\.channel)) == Set([0, 7, 15].map { channels[$0] }))
            subscription.close()
        }
    }

    @Test func namesItsFeed() async throws {
        try await Self.withServer { server in
            let (subscription, _) = try await Self.listen(
                server.node, ["news"], Self.settings().named("lapse:sessions:one:feed"))
            let clients = try await server.cli("CLIENT", "LIST", "TYPE", "pubsub")
            #expect(clients.contains("name=lapse:sessions:one:feed "))
            subscription.close()
        }
    }

    /// A frozen server says no goodbye, which TLS would wait for.
    @Test func anEncryptedSubscriptionIsClosedAtOnce() async throws {
        let certificates = try await ThrowawayCertificates.make()
        defer { certificates.remove() }
        try await Self.withServer {
            $0.tls = certificates.tls()
        } _: { server in
            let tls = try TLSSettings(TLSFiles(authority: certificates.authority.certificate.path))
            let (subscription, _) = try await Self.listen(server.node, ["news"], Self.settings { $0.tls = tls })
            server.freeze()
            subscription.close()
            try await subscription.closed.eventLoop.submit {}.get()
            #expect(!subscription.isActive)
            server.resume()
        }
    }
}

extension RedisClientServerTests {
    /// What is no reply closes the connection in the middle of a read: what came before it was received all
    /// the same, and nothing that comes later would say so.
    @Test func aConnectionThatIsClosedInAReadSaysThatThisWasAll() async throws {
        let server = try await ServerBootstrap(group: Self.loops).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(BrokenServer()) }
        }.bind(host: "127.0.0.1", port: 0).get()
        let address = NodeAddress(host: "127.0.0.1", port: try #require(server.localAddress?.port))
        let (subscription, ear) = try await Self.listen(address)
        try await subscription.closed.get()
        try await waitUntil("both messages are received, and that these are all", within: .seconds(20)) {
            ear.messages.count == 2 && ear.hasHeardThatTheseAreAll ? nil : "\(ear.messages.count) messages"
        }
        try await server.close()
    }
}

/// Greets as a server does, and answers SUBSCRIBE with its confirmation, two messages and what is no
/// reply, in one write.
private final class BrokenServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = String(buffer: unwrapInboundIn(data))
        let message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\na\r\n"
        let answer =
            if request.contains("SUBSCRIBE") {
                "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n" + message + message + "?broken\r\n"
            } else if request.contains("INFO") {
                "$13\r\nrun_id:abcdef\r\n"
            } else {
                "+OK\r\n+PONG\r\n"
            }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }
}
