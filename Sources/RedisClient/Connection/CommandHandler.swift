import Endpoints
import NIOCore
import RESP

/// Matches replies to the commands that wait for them, in order; lives on its channel's event loop.
///
/// A command that times out keeps its place, where the late reply is dropped. A server that sends
/// nothing for the longest wait is taken for gone, and the connection closed: a frozen peer never
/// closes by itself.
final class CommandHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Commands of one write. Their replies come in order, so the last one completes them.
    private struct Batch {
        let commands: [RESPCommand]
        let count: Int
        /// Of the commands, where they are given encoded.
        let name: String
        /// Nil once timed out: the replies are awaited only to be dropped.
        var promise: EventLoopPromise<[RESPValue]>?
        let timer: Scheduled<Void>
    }

    private let node: NodeAddress
    private var reader: ReplyReader
    private var waiting: CircularBuffer<Batch> = []
    /// What has come for the first batch.
    private var replies: [RESPValue] = []
    /// How many have left the front, so that a timer finds its batch by number.
    private var departed = 0
    private let loop: any EventLoop
    private var context: ChannelHandlerContext?
    private var failure: RedisError?
    private var unasked: RESPError?
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
        write(commands, count: commands.count, name: "", timeout) { bytes in
            for command in commands { command.encode(into: &bytes) }
        }
    }

    func send(_ pipeline: RESPPipeline, timeout: Duration) -> EventLoopFuture<[RESPValue]> {
        write([], count: pipeline.count, name: pipeline.name, timeout) { $0 = pipeline.bytes }
    }

    private func write(
        _ commands: [RESPCommand], count: Int, name: String, _ timeout: Duration, _ encode: (inout ByteBuffer) -> Void
    ) -> EventLoopFuture<[RESPValue]> {
        guard let context, context.channel.isActive else {
            // Once closed, the handler is out of its pipeline and has no context.
            return loop.makeFailedFuture(failure ?? RedisError(.closed, node: node, "the connection is closed"))
        }
        let promise = context.eventLoop.makePromise(of: [RESPValue].self)
        guard count > 0 else {
            promise.succeed([])
            return promise.futureResult
        }
        var bytes = context.channel.allocator.buffer(capacity: 64 * commands.count)
        encode(&bytes)
        let number = departed + waiting.count
        let timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
            self.timedOut(number, after: timeout)
        }
        waiting.append(Batch(commands: commands, count: count, name: name, promise: promise, timer: timer))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        return promise.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heardSinceProbe = true
        let bytes = unwrapInboundIn(data)
        do {
            try reader.read(bytes) { deliver($0.values()) }
        } catch {
            // Later it is Redis, and what lies in its replies is the users'.
            let isFirst = departed == 0 && replies.isEmpty
            let words = isFirst ? Foreign.words(bytes).map { "not a Redis reply: it says \"\($0)\"" } : nil
            failure = RedisError(
                .protocolViolation, node: node, words ?? "not a Redis reply (\(error)): closing the connection")
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let error = failure ?? lastWord ?? RedisError(.closed, node: node, ConnectionTrouble.hangUp)
        failure = error
        departed += waiting.count
        let left = waiting
        waiting.removeAll()
        replies.removeAll()
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
                explained == nil ? .closed : .tls, node: node, explained ?? ConnectionTrouble.text(error))
        }
        context.close(promise: nil)
    }

    /// What a server says before it closes a connection is why: too many clients, protected mode.
    private var lastWord: RedisError? {
        // Later than in the handshake an error is the answer to a command, and no reason to close.
        guard let word = (departed == 0 ? replies.last?.error : nil) ?? unasked else { return nil }
        var error = RedisError(word, node: node)
        // The connection is gone, whatever the words: another attempt may be let in.
        if case .reply = error.kind { error.kind = .closed }
        return error
    }

    private func deliver(_ values: [RESPValue]) {
        var index = 0
        while index < values.count {
            guard let batch = waiting.first else {
                // Nothing was asked: some servers refuse a connection before it says anything.
                unasked = values[index].error ?? unasked
                index += 1
                continue
            }
            let end = min(values.count, index + batch.count - replies.count)
            if replies.isEmpty, end - index == values.count {
                replies = values
            } else {
                replies.reserveCapacity(batch.count)
                replies.append(contentsOf: values[index..<end])
            }
            index = end
            guard replies.count == batch.count else { return }
            let complete = replies
            replies = []
            waiting.removeFirst()
            departed += 1
            batch.timer.cancel()
            batch.promise?.succeed(complete)
        }
    }

    private func timedOut(_ number: Int, after timeout: Duration) {
        let index = number - departed
        guard index >= 0, index < waiting.count, let context else { return }
        let position = waiting.index(waiting.startIndex, offsetBy: index)
        let batch = waiting[position]
        let name = batch.commands.isEmpty ? batch.name : batch.commands[index == 0 ? replies.count : 0].name
        let promise = waiting[position].promise
        waiting[position].promise = nil
        // Last: a waiting caller may close the connection on the spot, and with it empty the queue.
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
            context.channel.closeAtOnce()
        }
    }
}
