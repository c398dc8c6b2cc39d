import NIOCore
import NIOPosix
import RESP

/// What a port says to a connection that says nothing: a server that refuses a connection before it is
/// asked closes it with a line, which is lost when something was sent to it meanwhile.
enum Greeting {
    /// The error that the line is; nil where none comes soon.
    static func listen(
        at address: NodeAddress, on loop: any EventLoop, _ attempt: ConnectionAttempt
    ) -> EventLoopFuture<RedisError?> {
        let line = loop.makePromise(of: ByteBuffer?.self)
        let patience = TimeAmount.milliseconds(500)
        let timer = loop.scheduleTask(in: patience) { line.succeed(nil) }
        let channel = ClientBootstrap(group: loop).connectTimeout(patience).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try attempt.adopt(channel)
                try channel.pipeline.syncOperations.addHandler(Listener(line))
            }
        }.connect(to: address)
        channel.whenFailure { _ in line.succeed(nil) }
        return line.futureResult.map { bytes in
            timer.cancel()
            channel.whenSuccess { $0.close(promise: nil) }
            return bytes.flatMap { error(in: $0, node: address) }
        }
    }

    private static func error(in bytes: ByteBuffer, node: NodeAddress) -> RedisError? {
        guard let words = Foreign.words(bytes) else { return nil }
        guard words.hasPrefix("-") else { return RedisError(.closed, node: node, "it says \"\(words)\" and hangs up") }
        var error = RedisError(RESPError(String(words.dropFirst())), node: node)
        if case .reply = error.kind { error.kind = .closed }
        return error
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let line: EventLoopPromise<ByteBuffer?>

        init(_ line: EventLoopPromise<ByteBuffer?>) { self.line = line }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { line.succeed(unwrapInboundIn(data)) }

        func channelInactive(context: ChannelHandlerContext) { line.succeed(nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            line.succeed(nil)
            context.close(promise: nil)
        }
    }
}
