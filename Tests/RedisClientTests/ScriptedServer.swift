import NIOCore
import NIOPosix
import Testing

@testable import RedisClient

/// A server that answers each line it hears as it is told; for what no Redis does.
final class ScriptedServer: Sendable {
    private let channel: any Channel
    let node: NodeAddress

    private init(_ channel: any Channel) throws {
        self.channel = channel
        node = NodeAddress(host: "127.0.0.1", port: try #require(channel.localAddress?.port))
    }

    /// `answer` gets the number of the command on its connection, from 0.
    static func start(_ answer: @escaping @Sendable (Int) -> String?) async throws -> ScriptedServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(answer))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        return try ScriptedServer(channel)
    }

    func stop() async throws { try await channel.close() }
}

/// Takes every `*` at the beginning of a line for a command.
private final class Answering: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: @Sendable (Int) -> String?
    private var heard = 0

    init(_ answer: @escaping @Sendable (Int) -> String?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data).readableBytesView
        var previous = UInt8(ascii: "\n")
        for byte in bytes {
            defer { previous = byte }
            guard byte == UInt8(ascii: "*"), previous == UInt8(ascii: "\n") else { continue }
            if let reply = answer(heard) {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
            }
            heard += 1
        }
    }
}
