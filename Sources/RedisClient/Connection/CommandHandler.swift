import NIOCore
import RESP

/// Matches replies to the commands that wait for them, in order; lives on its channel's event loop.
///
/// A command that times out fails at once, but keeps its place in the queue: the late reply is dropped there. A server
/// that has sent nothing at all for the longest wait is taken for gone, and the connection closed: a frozen peer
/// never closes by itself.
final class CommandHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        /// Nil once timed out: the reply is awaited only to be dropped.
        var promise: EventLoopPromise<RESPValue>?
        var timer: Scheduled<Void>
    }

    private let node: NodeAddress
    private var reader: ReplyReader
    private var waiting: CircularBuffer<Waiting> = []
    /// How many have left the front, so that a timer finds its command by number.
    private var departed = 0
    private let loop: any EventLoop
    private var context: ChannelHandlerContext?
    private var failure: RedisError?
    private var isProbing = false
    private var heardSinceProbe = true

    init(node: NodeAddress, replyBytes: Int, on loop: any EventLoop) {
        self.node = node
        self.loop = loop
        self.reader = ReplyReader(limits: ReplyLimits(bulkBytes: replyBytes, replyBytes: replyBytes))
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ commands: [RESPCommand], timeout: Duration) -> EventLoopFuture<[RESPValue]> {
        guard let context, context.channel.isActive else {
            // Once closed, the handler is out of its pipeline and has no context.
            return loop.makeFailedFuture(failure ?? RedisError(.closed, node: node, "the connection is closed"))
        }
        var bytes = context.channel.allocator.buffer(capacity: 64 * commands.count)
        var futures: [EventLoopFuture<RESPValue>] = []
        futures.reserveCapacity(commands.count)
        for command in commands {
            command.encode(into: &bytes)
            let promise = context.eventLoop.makePromise(of: RESPValue.self)
            let number = departed + waiting.count
            let timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
                self.timedOut(number, command.name, after: timeout)
            }
            waiting.append(Waiting(promise: promise, timer: timer))
            futures.append(promise.futureResult)
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        return EventLoopFuture.whenAllSucceed(futures, on: context.eventLoop)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heardSinceProbe = true
        do {
            try reader.read(unwrapInboundIn(data)) { batch in
                for value in batch.values() { deliver(value) }
            }
        } catch {
            failure = RedisError(.protocolViolation, node: node, "not a Redis reply (\(error)): closing the connection")
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let error = failure ?? RedisError(.closed, node: node, "the server closed the connection")
        failure = error
        departed += waiting.count
        let left = waiting
        waiting.removeAll()
        for entry in left {
            entry.timer.cancel()
            entry.promise?.fail(error)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failure == nil {
            let explained = TLSSettings.explain(error)
            failure = RedisError(
                explained == nil ? .closed : .tls, node: node, explained ?? "connection lost: \(error)")
        }
        context.close(promise: nil)
    }

    private func deliver(_ value: RESPValue) {
        guard let entry = waiting.popFirst() else { return }  // A push nobody asked for.
        departed += 1
        entry.timer.cancel()
        entry.promise?.succeed(value)
    }

    private func timedOut(_ number: Int, _ name: String, after timeout: Duration) {
        let index = number - departed
        guard index >= 0, index < waiting.count, let context else { return }
        let position = waiting.index(waiting.startIndex, offsetBy: index)
        let promise = waiting[position].promise
        waiting[position].promise = nil
        // Last: whoever waits may close the connection on the spot, and with it empty the queue.
        defer { promise?.fail(RedisError(.timeout, node: node, "\(name) was not answered within \(timeout)")) }
        probe(context)
    }

    /// Closes the connection unless the server says anything at all from now on.
    private func probe(_ context: ChannelHandlerContext) {
        guard !isProbing else { return }
        isProbing = true
        heardSinceProbe = false
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(2)) {
            self.isProbing = false
            guard !self.heardSinceProbe, let context = self.context, context.channel.isActive else { return }
            self.failure = RedisError(.timeout, node: self.node, "the server has gone silent: closing the connection")
            context.close(promise: nil)
        }
    }
}
